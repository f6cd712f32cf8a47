package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/harbor"
)

// work is what a plan works with, and keeps for whoever carries it out.
type work struct {
	Copies    []Copy   `json:"copies"` // every one, those that are there already among them
	Namespace []string `json:"namespaces,omitempty"`
	Platforms []string `json:"platforms,omitempty"`
	Referrers bool     `json:"referrers,omitempty"`
}

// planner makes one plan.
type planner struct {
	action
	ctx    context.Context
	in     actions.Inputs
	plan   actions.Plan
	work   work
	copier Copier
	there  map[string]bool // keys of copies that need no copying
	sizes  map[string]int64
	base   []string // steps that a copy needs
	argo   argo
}

// Plan implements [actions.Action].
func (a action) Plan(ctx context.Context, in actions.Inputs) (actions.Plan, error) {
	copier, err := a.Copier("", a.Params.Push, nil)
	if err != nil {
		return actions.Plan{}, err
	}
	defer func() { _ = copier.Close() }()
	p := &planner{action: a, ctx: ctx, in: in, copier: copier, there: map[string]bool{}, sizes: map[string]int64{}}
	p.plan = actions.Plan{Parallel: a.Parallel, Mends: a.spec.Mends}
	p.work.Platforms, p.work.Referrers = list(in[inPlatforms]), in.Switch(inReferrers)
	for _, platform := range p.work.Platforms {
		if strings.Count(platform, "/") < 1 {
			return p.plan, fmt.Errorf("platforms: %q is not like linux/amd64", platform)
		}
	}
	all, running, err := a.workloads(ctx)
	if err != nil {
		return p.plan, err
	}
	if err := p.collect(all, running); err != nil {
		return p.plan, err
	}
	if err := p.account(); err != nil {
		return p.plan, err
	}
	if err := p.copies(); err != nil {
		return p.plan, err
	}
	if err := p.rewrite(all); err != nil {
		return p.plan, err
	}
	if err := p.rights(); err != nil {
		return p.plan, err
	}
	p.summarize()
	p.plan.Data, err = json.Marshal(p.work)
	return p.plan, err
}

func (p *planner) note(format string, args ...any) {
	p.plan.Notes = append(p.plan.Notes, fmt.Sprintf(format, args...))
}
func (p *planner) missing(format string, args ...any) {
	p.plan.Missing = append(p.plan.Missing, fmt.Sprintf(format, args...))
}

// exempt says why an image need not be mirrored, or nothing.
func (a action) exempt(reference string) string {
	repository := repositoryOf(reference)
	for _, e := range a.Declared.Exempt {
		if matches(e.Image, repository) {
			return e.Reason
		}
	}
	return ""
}

// matches reports whether a pattern, in which * stands for any text, covers a repository.
func matches(pattern, text string) bool {
	first, rest, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == text
	}
	if !strings.HasPrefix(text, first) {
		return false
	}
	for at := len(first); at <= len(text); at++ {
		if matches(rest, text[at:]) {
			return true
		}
	}
	return false
}

// collect lists the images: those of the profile, and those that run or are to run and come from a registry that is to be left.
func (p *planner) collect(all []Workload, running map[string]string) error {
	seen := map[string]bool{}
	add := func(c Copy) {
		seen[full(c.Source)] = true
		p.work.Copies = append(p.work.Copies, c)
	}
	for _, image := range p.Declared.Images {
		tag := tagOf(image.Source, image.Digest)
		_, digest, _ := strings.Cut(image.Source, "@")
		if image.Digest != "" {
			digest = image.Digest
		}
		add(Copy{Key: image.Key, Source: image.Source, Digest: digest, Name: image.Key, Tag: tag})
	}
	used, err := manifestImages(p.in[inManifests])
	if err != nil {
		return err
	}
	for image := range running {
		used[image] = true
	}
	for _, w := range all {
		for _, c := range w.Containers {
			used[c.Image] = true
		}
	}
	spared := map[string]string{}
	for _, image := range slices.Sorted(maps.Keys(used)) {
		host := hostOf(image)
		known := seen[full(image)]
		if digest := digestOf(image); known && digest != "" { // the same tag may have been another image
			known = slices.ContainsFunc(p.work.Copies, func(c Copy) bool { return full(c.Source) == full(image) && c.Digest == digest })
		}
		if known || host == "" || host == p.Host || host == p.Params.Pull || !slices.Contains(p.Origins, host) {
			continue
		}
		if why := p.exempt(image); why != "" {
			spared[repositoryOf(image)] = why
			continue
		}
		repository, tag, digest, err := nameOf(image)
		if err != nil {
			continue // an id, which leads nowhere
		}
		c := Copy{Key: strings.TrimPrefix(repository, "docker.io/") + ":" + tag, Source: image, Digest: digest, Name: repository, Tag: tag}
		if digest != "" {
			c.Exact, c.Tag = true, digestTag(digest)
			c.Key = strings.TrimPrefix(repository, "docker.io/") + "@" + digest
		}
		c.Name = strings.NewReplacer("{host}", strings.SplitN(repository, "/", 2)[0], "{repository}", strings.SplitN(repository, "/", 2)[1]).Replace(p.Params.Name)
		if i := slices.IndexFunc(p.work.Copies, func(o Copy) bool { return o.Name == c.Name && o.Tag == c.Tag }); i >= 0 {
			return fmt.Errorf("%s and %s would have the same name, %s:%s: change name, or give one of them a key of its own among images", p.work.Copies[i].Source, c.Source, c.Name, c.Tag)
		}
		add(c)
	}
	if len(spared) > 0 {
		p.note("Not mirrored, because the profile exempts them: %s", strings.Join(slices.Sorted(maps.Keys(spared)), ", "))
	}
	return nil
}

// account plans what must be there before anything can be pushed: the project, and a robot account whose credential works.
func (p *planner) account() error {
	found, err := p.Projects.Project(p.ctx, p.Project)
	noProject := errors.Is(err, harbor.ErrNotFound)
	if err != nil && !noProject {
		return fmt.Errorf("looking at the project %s: %w", p.Project, err)
	}
	if found.ProxyCache {
		p.missing("the project %s caches another registry and takes no pushes: make another one", p.Project)
		return nil
	}
	state, err := p.standing(p.ctx)
	if err != nil {
		return err
	}
	if !noProject && state.works {
		return p.room(found)
	}
	known := p.Admin.Known(p.ctx)
	if noProject {
		if known != nil {
			p.missing("the project %s does not exist in Harbor, and to create it gonogo needs an administrator's credential (connections.harbor.write): %v", p.Project, known)
		}
		p.step(actions.Step{ID: "project", Title: "Create the project " + p.Project, Target: p.Host, Effect: actions.Creates, Detail: []string{"private, " + quotaText(p.Quota)}})
		p.base = append(p.base, "project")
	}
	if state.works {
		return nil
	}
	if known != nil {
		p.missing("no credential works that may push to %s (%s), and without an administrator's (connections.harbor.write) this is by hand: in Harbor, under Projects → %s → "+
			"Robot Accounts, create the robot account %s that may push and pull repositories; then %s; then run this again",
			p.Project, state.why, p.Project, p.Robot, p.keepByHand())
		return nil
	}
	s := actions.Step{
		ID: "robot", Title: "Make the robot account " + p.login(), Target: p.Host + ", " + p.where(), Effect: actions.Creates, Needs: slices.Clone(p.base),
		Detail: []string{"because " + state.why, fmt.Sprintf("may push and pull in %s, for %d days", p.Project, p.Days), "its secret is kept in the " + p.where() + " and shown nowhere"},
	}
	switch {
	case state.replace:
		s.Title, s.Effect = "Replace the robot account "+p.login(), actions.Deletes
	case state.exists:
		s.Title, s.Effect = "Give the robot account "+p.login()+" a new secret", actions.Updates
		p.note("Whoever else uses the secret of %s is locked out by the new one.", p.login())
	}
	p.step(s)
	p.base = append(p.base, "robot")
	if noProject {
		return nil
	}
	return p.room(found)
}

func quotaText(quota int64) string {
	if quota < 0 {
		return "without a limit of storage"
	}
	return fmt.Sprintf("may store %d bytes", quota)
}

// room notes how much the project may still store. Who may not read quotas learns it when they are used up.
func (p *planner) room(project harbor.Project) error {
	q, err := p.Quotas.Quota(p.ctx, project.ID)
	switch {
	case err != nil:
		p.note("How much the project %s may still store is not known: %s", p.Project, probes.Clean(err.Error(), 200))
	case q.Hard > 0 && q.Used >= q.Hard:
		p.missing("the project %s has stored all that it may: raise its quota in Harbor", p.Project)
	}
	return nil
}

func (p *planner) step(s actions.Step) { p.plan.Steps = append(p.plan.Steps, s) }

// copies looks which images are there, locks those that are not to digests, and plans their copying.
func (p *planner) copies() error {
	var mu sync.Mutex
	var failed []error
	var looking sync.WaitGroup
	slots := make(chan struct{}, 8)
	for i := range p.work.Copies {
		slots <- struct{}{}
		looking.Go(func() {
			defer func() { <-slots }()
			c := &p.work.Copies[i]
			there, size, err := p.look(c)
			mu.Lock()
			defer mu.Unlock()
			p.there[c.Key], p.sizes[c.Key] = there, size
			if err != nil {
				failed = append(failed, fmt.Errorf("%s: %w", c.Key, err))
			}
		})
	}
	looking.Wait()
	if err := p.ctx.Err(); err != nil {
		return err
	}
	if len(failed) > 0 {
		slices.SortFunc(failed, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
		return fmt.Errorf("looking at %d of %d images: %w", len(failed), len(p.work.Copies), failed[0])
	}
	hub := 0
	for _, c := range p.work.Copies {
		if p.there[c.Key] {
			p.plan.Already++
			continue
		}
		data, err := json.Marshal(c)
		if err != nil {
			return err
		}
		p.step(actions.Step{
			ID: key("copy", c.Key), Title: "Copy " + c.Source, Target: p.push(c), Effect: actions.Creates, Group: "copy", Needs: slices.Clone(p.base), Lenient: true,
			Size: actions.Amount{Units: 1, Bytes: p.sizes[c.Key]}, Detail: []string{c.Digest}, Data: data,
		})
		if hostOf(c.Source) == "docker.io" {
			hub++
		}
	}
	p.budget(hub)
	if len(p.work.Platforms) > 0 {
		p.note("Only the platforms %s are copied: the copies have other digests than their originals, which signatures do not cover and the profile's lock does not know.",
			strings.Join(p.work.Platforms, ", "))
	}
	return nil
}

// look tells whether a copy is there, locks it, and weighs what is not.
func (p *planner) look(c *Copy) (there bool, size int64, err error) {
	if c.Digest == "" {
		digest, found, err := p.copier.Head(p.ctx, c.Source)
		if err != nil {
			return false, 0, fmt.Errorf("asking for the digest of %s: %w", c.Source, err)
		}
		if !found {
			return false, 0, fmt.Errorf("there is no %s", c.Source)
		}
		c.Digest = digest
	}
	if len(p.base) == 0 || p.base[0] != "project" { // what is in no project is not there
		digest, found, err := p.copier.Head(p.ctx, p.push(*c))
		if err != nil {
			return false, 0, fmt.Errorf("looking for %s: %w", p.push(*c), err)
		}
		if found && (digest == c.Digest || len(p.work.Platforms) > 0) {
			return true, 0, nil
		}
	}
	if hostOf(c.Source) == "docker.io" {
		budget, err := p.copier.Budget(p.ctx, byDigest(c.Source, c.Digest))
		if err != nil || budget.Known {
			return false, 0, nil // reading manifests there counts, so that sizes are known only when they are needed
		}
	}
	size, err = p.copier.Size(p.ctx, Job{Source: byDigest(c.Source, c.Digest), Digest: c.Digest, Platforms: p.work.Platforms})
	if err != nil {
		return false, 0, nil //nolint:nilerr // the copying will say what is wrong, and the others go on
	}
	return false, size, nil
}

// budget says what Docker Hub still allows.
func (p *planner) budget(pulls int) {
	if pulls == 0 {
		return
	}
	for _, c := range p.work.Copies {
		if hostOf(c.Source) != "docker.io" || p.there[c.Key] {
			continue
		}
		b, err := p.copier.Budget(p.ctx, byDigest(c.Source, c.Digest))
		switch {
		case err != nil || !b.Known:
			p.note("%d images are pulled from Docker Hub, which does not say how many pulls are left.", pulls)
		case b.Left < pulls:
			p.note("%d images are pulled from Docker Hub, which allows %d more in %s: the copying waits when they are used up.", pulls, b.Left, b.Window)
		default:
			p.note("%d images are pulled from Docker Hub, which allows %d more of %d in %s.", pulls, b.Left, b.Limit, b.Window)
		}
		return
	}
}

func (p *planner) summarize() {
	copies, workloads := 0, 0
	for _, s := range p.plan.Steps {
		switch {
		case s.Group == "copy":
			copies++
		case strings.HasPrefix(s.ID, "rewrite "):
			workloads++
		}
	}
	text := fmt.Sprintf("%d of %d images to copy", copies, len(p.work.Copies))
	if workloads > 0 {
		text += fmt.Sprintf(", %d workloads to point to them", workloads)
	}
	if len(p.plan.Steps) == 0 {
		text = fmt.Sprintf("all %d images are there, and nothing pulls from elsewhere", len(p.work.Copies))
	}
	p.plan.Summary = text
}
