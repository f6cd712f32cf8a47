package probes

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// PollerOptions are the settings of a [Poller]; the zero value works.
type PollerOptions struct {
	Now           func() time.Time // the clock of timestamps; nil for the machine's
	PerConnection int              // questions under way at once on one connection; 0 for the default
	// OnResult is told of every answer and of the checklist after it, one at a time, in order. It must not block for long.
	OnResult func(Result, Checklist)
}

// Poller keeps a checklist fresh: it asks each check when it is due, never twice at once, no more than a few at a time on one connection,
// slower while a check cannot be asked, sooner when an answer wants confirming, and not at all while the check is blocked.
type Poller struct {
	opts    PollerOptions
	hub     *hub
	slots   *slots
	refresh chan struct{} // one slot; wanted holds what
	mu      sync.Mutex
	wanted  map[ID]bool   // to ask at once, asked for from outside
	woken   map[ID]bool   // to ask soon, because a watch says that something changed
	pending *replacement  // a new profile, not taken over yet
	waivers *[]Waiver     // besides the profile's, as they were last given; nil if nobody gave any
	jobs    map[ID]*job   // owned by Run
	order   []ID          // owned by Run
	answers chan answered // owned by Run
}

type replacement struct {
	list   Checklist
	checks []Check
}

// job is the state of one check inside Run.
type job struct {
	check   Check
	due     time.Time // machine clock
	asked   time.Time
	running bool
	again   bool // woken while being asked: what changed may not be in the answer
	errors  int  // in a row
	retired bool
	stop    func() // ends the watch
}

type answered struct {
	job    *job
	result Result
	over   bool // the probe itself has returned
}

// How the poller paces itself.
const (
	wakePause    = time.Second            // a watched check is asked at most this often
	firstConfirm = 300 * time.Millisecond // until a first failure is confirmed
	maxBackoff   = 5 * time.Minute
	jitter       = 0.1
)

// NewPoller returns a poller of the checks over a checklist of the same profile. It does nothing before Run.
func NewPoller(list Checklist, checks []Check, o PollerOptions) *Poller {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Poller{
		opts: o, hub: newHub(list), slots: newSlots(o.PerConnection),
		refresh: make(chan struct{}, 1), wanted: map[ID]bool{}, woken: map[ID]bool{},
		pending: &replacement{list: list, checks: checks},
		jobs:    map[ID]*job{}, answers: make(chan answered),
	}
}

// Subscribe returns a feed of the checklist as it changes. Close it when it is not read any more.
func (p *Poller) Subscribe() *Feed { return p.hub.subscribe() }

// Checklist returns the newest checklist.
func (p *Poller) Checklist() Checklist {
	list, _ := p.hub.latest()
	return list
}

// Refresh asks the checks again at once, all of them when none is named, backoff or not. It never blocks; asking for a check that is
// being asked already does nothing.
func (p *Poller) Refresh(ids ...ID) {
	p.mu.Lock()
	if len(ids) == 0 {
		for _, s := range p.hub.outline().Specs {
			ids = append(ids, s.ID)
		}
	}
	for _, id := range ids {
		p.wanted[id] = true
	}
	p.mu.Unlock()
	p.poke()
}

func (p *Poller) wake(id ID) {
	p.mu.Lock()
	p.woken[id] = true
	p.mu.Unlock()
	p.poke()
}

func (p *Poller) poke() {
	select {
	case p.refresh <- struct{}{}:
	default:
	}
}

func (h *hub) outline() *Outline {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.list.outline
}

// Replace puts another profile in the place of the one being polled: its checks are asked from now on, and what the checklist says of
// them already is kept. It never blocks; questions under way are finished and their answers dropped if nobody wants them any more.
func (p *Poller) Replace(list Checklist, checks []Check) {
	p.mu.Lock()
	p.pending = &replacement{list: list, checks: checks}
	p.mu.Unlock()
	p.poke()
}

// SetWaivers says which waivers there are besides the profile's. It never blocks.
func (p *Poller) SetWaivers(given []Waiver) {
	p.mu.Lock()
	same := p.waivers != nil && slices.Equal(*p.waivers, given)
	p.waivers = &given
	p.mu.Unlock()
	if !same {
		p.poke()
	}
}

// Run polls until ctx ends and returns when nothing it started is under way any more, but for probes that ignore their deadline.
func (p *Poller) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	running := 0
	for ctx.Err() == nil {
		p.takeOver()
		p.takeWishes()
		running += p.startDue(ctx)
		timer.Reset(p.untilDue())
		select {
		case <-timer.C:
		case <-p.refresh:
		case a := <-p.answers:
			p.takeOver() // the old connections may be closed already: what comes of that is no answer
			running -= p.take(ctx, a)
		case <-ctx.Done():
		}
	}
	for _, j := range p.jobs {
		j.stop()
	}
	for running > 0 {
		running -= p.take(ctx, <-p.answers)
	}
}

// takeOver installs a new profile if there is one.
func (p *Poller) takeOver() {
	p.mu.Lock()
	next, waivers := p.pending, p.waivers
	p.pending = nil
	p.mu.Unlock()
	if next == nil {
		p.takeWaivers(waivers)
		return
	}
	if waivers != nil {
		next.list = next.list.WithWaivers(*waivers)
	}
	for _, j := range p.jobs {
		j.retired = true
		j.stop()
	}
	p.jobs, p.order = make(map[ID]*job, len(next.checks)), p.order[:0]
	for _, c := range next.checks {
		if c.Spec.Exempt != "" {
			continue
		}
		j := &job{check: c, due: time.Now(), stop: func() {}}
		if w, ok := c.Probe.(Watching); ok {
			id := c.Spec.ID
			j.stop = w.Watch(func() { p.wake(id) })
		}
		p.jobs[c.Spec.ID] = j
		p.order = append(p.order, c.Spec.ID)
	}
	p.hub.publish(next.list)
}

// takeWaivers publishes the checklist with the waivers that were given since.
func (p *Poller) takeWaivers(given *[]Waiver) {
	if list, _ := p.hub.latest(); given != nil && !slices.Equal(*given, list.waivers) {
		p.hub.publish(list.WithWaivers(*given))
	}
}

// takeWishes moves up what was asked for from outside.
func (p *Poller) takeWishes() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for id := range p.wanted {
		if j := p.jobs[id]; j != nil && !j.running {
			j.due, j.errors = now, 0
		}
	}
	for id := range p.woken {
		if j := p.jobs[id]; j != nil {
			j.again = j.running
			j.hurry()
		}
	}
	clear(p.wanted)
	clear(p.woken)
}

// hurry makes a check due as soon as the pause between two askings allows.
func (j *job) hurry() {
	if soon := j.asked.Add(wakePause); soon.Before(j.due) {
		j.due = soon
	}
}

// startDue starts every check that is due and not blocked, and returns how many.
func (p *Poller) startDue(ctx context.Context) int {
	now, started := time.Now(), 0
	list, _ := p.hub.latest()
	var stand []effective
	for _, id := range p.order {
		j := p.jobs[id]
		if j.running || j.due.After(now) {
			continue
		}
		if stand == nil {
			stand = list.effectives(p.opts.Now())
		}
		if i, ok := list.index[id]; !ok || stand[i].status == Blocked {
			j.due = now.Add(j.check.Spec.Every) // or as soon as the blocker passes
			continue
		}
		j.running, j.asked = true, now
		started++
		go p.askJob(ctx, j)
	}
	return started
}

// askJob asks one check and hands in the answer, and once more when the probe has really returned.
func (p *Poller) askJob(ctx context.Context, j *job) {
	if !j.check.Spec.OnChange {
		release, ok := p.slots.take(ctx, j.check.Spec.Connection)
		if !ok {
			p.answers <- answered{job: j, over: true}
			return
		}
		defer release()
	}
	r, ended := ask(ctx, j.check, p.opts.Now)
	select {
	case <-ended:
		p.answers <- answered{job: j, result: r, over: true}
		return
	default:
	}
	p.answers <- answered{job: j, result: r}
	select {
	case <-ended:
	case <-ctx.Done(): // a probe that ignores its deadline is left behind
	}
	p.answers <- answered{job: j, over: true}
}

// take takes in an answer and returns 1 when the check is no longer running. What comes when polling ends is no answer: it was cut short.
func (p *Poller) take(ctx context.Context, a answered) int {
	if a.over {
		a.job.running = false
	}
	if a.result.ID != "" && !a.job.retired && ctx.Err() == nil {
		p.record(a.job, a.result)
	}
	if a.over {
		return 1
	}
	return 0
}

// record puts an answer into the checklist and plans the next asking.
func (p *Poller) record(j *job, r Result) {
	before, _ := p.hub.latest()
	list := before.With(r)
	p.hub.publish(list)
	if p.opts.OnResult != nil {
		p.opts.OnResult(r, list)
	}
	if r.Err != nil {
		j.errors++
	} else {
		j.errors = 0
	}
	j.due = time.Now().Add(p.delay(j, list))
	if j.again {
		j.again = false
		j.hurry()
	}
	p.unblock(before, list)
}

// delay is how long until a check is asked again.
func (p *Poller) delay(j *job, list Checklist) time.Duration {
	s, _ := list.Standing(j.check.Spec.ID)
	every := j.check.Spec.Every
	if j.check.Spec.OnChange { // a watch that confirms without a change is only seen by reading it again
		every = min(every, watchStaleAfter/3)
	}
	switch {
	case s.Failures > 0 && s.Failures < j.check.Spec.Confirm && s.status() == Pending:
		return min(firstConfirm, every)
	case s.Failures > 0 && s.Failures < j.check.Spec.Confirm:
		return min(max(every/2, time.Second), 10*time.Second)
	case j.errors > 1:
		every = min(every<<min(j.errors-1, 10), max(maxBackoff, every))
	}
	return time.Duration(float64(every) * (1 - jitter + 2*jitter*rand.Float64())) //nolint:gosec // spreads load, hides nothing
}

// unblock makes due what an answer has just freed.
func (p *Poller) unblock(before, after Checklist) {
	now := p.opts.Now()
	was, is := before.effectives(now), after.effectives(now)
	for i, e := range is {
		if was[i].status == Blocked && e.status != Blocked {
			if j := p.jobs[after.outline.Specs[i].ID]; j != nil {
				j.due = time.Now()
			}
		}
	}
}

// untilDue is how long Run may sleep.
func (p *Poller) untilDue() time.Duration {
	next := time.Now().Add(time.Minute)
	for _, j := range p.jobs {
		if !j.running && j.due.Before(next) {
			next = j.due
		}
	}
	return max(0, time.Until(next))
}
