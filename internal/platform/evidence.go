package platform

import (
	"path/filepath"
	"strings"

	"github.com/254carbon/gonogo/internal/platform/record"
	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/probes/evidence"
)

// openRecord prepares the evidence record, which is there in some form whatever else is: without a cluster, as far as this machine knows it.
func (x *Platform) openRecord(p *profile.Profile, o Options) {
	dir := o.StateDir
	if dir != "" {
		dir = filepath.Join(dir, "evidence", fileName(p.Platform))
	}
	x.Evidence = record.New(record.Options{
		Cluster: x.Cluster, Trouble: x.trouble["kubernetes"], Namespace: p.Connections.Kubernetes.EvidenceNamespace(), Dir: dir, ReadOnly: o.ReadOnly,
	})
	x.Declare(p)
}

// Declare takes over what a profile declares that counts as if it were in the evidence record.
func (x *Platform) Declare(p *profile.Profile) {
	var entries []evidence.Entry
	for _, a := range p.Attestations {
		entries = append(entries, evidence.Declared(a.CheckID(), a.By, a.Note, a.On.Time, a.Expires.End()))
	}
	x.Evidence.Declare(entries)
}

// fileName is a text as the name of a folder.
func fileName(text string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' {
			return c
		}
		return '_'
	}, text)
}
