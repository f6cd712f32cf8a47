package labtest

import (
	"context"
	"fmt"
	"path/filepath"
)

// Registry is the running registry of images: distribution, which is open to
// everybody who reaches it and takes deletions.
type Registry struct {
	Address string // host:port, over HTTP
	process *process
}

// startRegistry starts a registry that keeps its images in the lab's folder.
func (l *Lab) startRegistry(ctx context.Context) error {
	port, err := l.ports.free()
	if err != nil {
		return err
	}
	r := &Registry{Address: loopback(port)}
	config, err := l.file("registry.yml", fmt.Sprintf(`version: 0.1
log: {level: info}
storage: {filesystem: {rootdirectory: %q}, delete: {enabled: true}}
http: {addr: %q}
`, filepath.Join(l.dir, "registry"), r.Address))
	if err != nil {
		return err
	}
	if r.process, err = l.run(server{name: "docker-registry", args: []string{"serve", config}, env: []string{"OTEL_TRACES_EXPORTER=none"}}); err != nil {
		return err
	}
	l.registry = r
	return r.process.await(ctx, func(ctx context.Context) error { return l.get(ctx, "http://"+r.Address+"/v2/") })
}

// Registry returns the registry of images, or nil when the lab has none.
func (l *Lab) Registry() *Registry { return l.registry }

// Stop ends the registry for good.
func (r *Registry) Stop() { r.process.kill() }
