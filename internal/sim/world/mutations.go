package world

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
)

// Mutation is one change to a platform that is ready.
type Mutation struct {
	Name     string
	About    string
	Harmless bool     // must cost the platform nothing
	Checks   []Expect // what must be said of it, besides its other consequences; none for a harmless one
	change   func(*changer)
}

// Expect is what one check must say.
type Expect struct {
	Check probes.ID
	Want  probes.Status // Fail or Warn
	Says  []string      // words of the summary, whatever the case of their letters
}

// Apply makes the change, with its consequences. It fails if the world has nothing to change.
func (m Mutation) Apply(s Store, now time.Time) error {
	c := &changer{store: s, now: now}
	m.change(c)
	if c.err != nil {
		return fmt.Errorf("applying %s: %w", m.Name, c.err)
	}
	return Tick(s, now)
}

// Mutations are the single changes, bad ones first. Every name is there once.
func Mutations() []Mutation {
	return slices.Concat(
		nodeMutations(), monitoringMutations(), monitorMutations(), serviceMutations(), scalerMutations(), securityMutations(), veleroServerMutations(), locationMutations(),
		scheduleMutations(), backupMutations(), domainMutations(), postgresMutations(), imageMutations(), harmlessMutations(),
		evidenceMutations(), certificateMutations(),
	)
}

func bad(name, about string, change func(*changer), checks ...Expect) Mutation {
	return Mutation{Name: name, About: about, Checks: checks, change: change}
}

func harmless(name, about string, change func(*changer)) Mutation {
	return Mutation{Name: name, About: about, Harmless: true, change: change}
}

func fails(check probes.ID, says ...string) Expect {
	return Expect{Check: check, Want: probes.Fail, Says: says}
}

func warns(check probes.ID, says ...string) Expect {
	return Expect{Check: check, Want: probes.Warn, Says: says}
}

// changer makes changes until one of them fails.
type changer struct {
	store Store
	now   time.Time
	err   error
}

func (c *changer) edit(r schema.GroupVersionResource, namespace, name string, change func(object)) {
	if c.err == nil {
		_, c.err = c.store.Mutate(r, namespace, name, change)
	}
}

func (c *changer) remove(r schema.GroupVersionResource, namespace, name string) {
	if c.err == nil {
		c.err = c.store.Delete(r, namespace, name)
	}
}

func (c *changer) add(objects ...object) {
	for _, o := range objects {
		if c.err == nil {
			_, c.err = c.store.Apply(o)
		}
	}
}

func (c *changer) halt(what string) {
	if c.err == nil {
		c.err = Halt(c.store, what)
	}
}

// pods edits the pods of an app, at most n of them; 0 is all.
func (c *changer) pods(namespace, app string, n int, change func(object)) {
	if c.err != nil {
		return
	}
	found, err := (&controllers{store: c.store}).podsMatching(namespace, object{"app": app})
	if c.err = err; err == nil && len(found) == 0 {
		c.err = fmt.Errorf("no pod of %s/%s", namespace, app)
	}
	for i, p := range found {
		if n == 0 || i < n {
			c.edit(pods, namespace, name(p), change)
		}
	}
}

// broken makes a pod wait for that reason.
func (c *changer) broken(reason string, restarts int) func(object) {
	return func(p object) {
		setCondition(p, condition("Ready", "False", "ContainersNotReady", "containers with unready status", c.now))
		for i, item := range list(p, "status", "containerStatuses") {
			if m, ok := item.(object); ok && i == 0 {
				m["ready"], m["restartCount"] = false, restarts
				m["state"] = object{"waiting": object{"reason": reason, "message": "see the log of the container"}}
			}
		}
	}
}

// runs makes the first container of a template or a pod run an image; path leads to its spec.
func runs(image string, path ...string) func(object) {
	return func(o object) {
		for i, item := range list(o, append(path, "containers")...) {
			if m, ok := item.(object); ok && i == 0 {
				m["image"] = image
			}
		}
	}
}

func runsTemplate(image string) func(object) { return runs(image, "spec", "template", "spec") }

func replicate(n int) func(object) {
	return func(o object) { sub(o, "spec")["replicas"] = n }
}

func setField(value any, path ...string) func(object) {
	return func(o object) { sub(o, path[:len(path)-1]...)[path[len(path)-1]] = value }
}
