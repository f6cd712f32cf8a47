package tui

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/254carbon/gonogo/probes"
)

// rowID names a row of the checklist. Components and checks may share an id.
type rowID struct {
	check bool
	id    probes.ID
}

// treeRow is a visible row: a component, or with item ≥ 0 one of its checks.
type treeRow struct {
	rowID
	comp, item int
	open       bool
}

type order uint8

const (
	byProfile order = iota
	byStatus
	byPoints
	orders
)

func (o order) String() string {
	return [...]string{"profile order", "worst first", "most points first"}[o%orders]
}

// tree is the checklist as it is shown: what is folded, filtered, sorted, selected. It never changes what is scored.
type tree struct {
	rows    []treeRow
	matched int // checks that the filter lets through
	sel     rowID
	touched bool // whether a person has selected something
	order   order
	folds   map[probes.ID]bool // what a person folded or unfolded; the rest follows its status
	filter  filterInput
	top     int // first visible row
}

// build lists the rows that are visible now.
func (t *tree) build(a *probes.Assessment) {
	words := t.filter.words()
	t.rows, t.matched = t.rows[:0:0], 0
	for _, c := range t.components(a) {
		comp := &a.Components[c]
		items := t.items(comp, words)
		if len(items) == 0 && len(words) > 0 {
			continue
		}
		t.matched += len(items)
		open := len(words) > 0 || !t.folded(comp)
		t.rows = append(t.rows, treeRow{rowID: rowID{id: comp.Component.ID}, comp: c, item: -1, open: open})
		if !open {
			continue
		}
		for _, i := range items {
			t.rows = append(t.rows, treeRow{rowID: rowID{check: true, id: comp.Items[i].Spec.ID}, comp: c, item: i})
		}
	}
}

func (t *tree) components(a *probes.Assessment) []int {
	all := make([]int, len(a.Components))
	for i := range all {
		all[i] = i
	}
	slices.SortStableFunc(all, func(x, y int) int {
		p, q := &a.Components[x], &a.Components[y]
		switch t.order {
		case byStatus:
			return cmp.Compare(rank(p.Status), rank(q.Status))
		case byPoints:
			return sub(q.Possible, q.Earned).Cmp(sub(p.Possible, p.Earned))
		}
		return 0
	})
	return all
}

func (t *tree) items(c *probes.ComponentScore, words []string) []int {
	all := make([]int, 0, len(c.Items))
	for i := range c.Items {
		if matches(&c.Items[i], c, words) {
			all = append(all, i)
		}
	}
	slices.SortStableFunc(all, func(x, y int) int {
		p, q := &c.Items[x], &c.Items[y]
		switch t.order {
		case byStatus:
			return cmp.Compare(rank(p.Status), rank(q.Status))
		case byPoints:
			return sub(q.Worth, q.Points).Cmp(sub(p.Worth, p.Points))
		}
		return 0
	})
	return all
}

// matches reports whether a check has every word somewhere in what is shown of it, or has the letters of a word in its id, in order.
func matches(i *probes.Item, c *probes.ComponentScore, words []string) bool {
	if len(words) == 0 {
		return true
	}
	parts := []string{string(i.Spec.ID), i.Spec.Title, i.Summary, i.Status.String(), c.Component.Title, string(c.Component.ID)}
	if i.Spec.Gate {
		parts = append(parts, "gate")
	}
	text := strings.ToLower(strings.Join(parts, "\n"))
	for _, w := range words {
		if !strings.Contains(text, w) && !subsequence(strings.ToLower(string(i.Spec.ID)), w) {
			return false
		}
	}
	return true
}

// subsequence reports whether text has the letters of a word of four or more, in order; fewer are in almost everything.
func subsequence(text, word string) bool {
	if len(word) < 4 {
		return false
	}
	for _, r := range word {
		at := strings.IndexRune(text, r)
		if at < 0 {
			return false
		}
		text = text[at+len(string(r)):]
	}
	return true
}

// folded reports whether a component's checks are hidden: as a person wished, else where there is nothing left to do or to know yet.
func (t *tree) folded(c *probes.ComponentScore) bool {
	if folded, ok := t.folds[c.Component.ID]; ok {
		return folded
	}
	return c.Status == probes.Pass || c.Status == probes.NotApplicable || unasked(c)
}

// unasked reports whether nothing is known of a component yet: it waits for answers, or for what waits for them.
func unasked(c *probes.ComponentScore) bool {
	pending := false
	for _, i := range c.Items {
		switch i.Status {
		case probes.Pending:
			pending = true
		case probes.Blocked, probes.NotApplicable:
		default:
			return false
		}
	}
	return pending
}

func (t *tree) fold(id probes.ID, folded bool) {
	t.folds = maps.Clone(t.folds)
	if t.folds == nil {
		t.folds = map[probes.ID]bool{}
	}
	t.folds[id] = folded
}

// foldAll folds every component, or unfolds them when all are folded.
func (t *tree) foldAll(a *probes.Assessment) {
	folded := false
	for c := range a.Components {
		folded = folded || !t.folded(&a.Components[c])
	}
	for c := range a.Components {
		t.fold(a.Components[c].Component.ID, folded)
	}
}

// cursor is the index of the selected row, or -1 if there is none.
func (t *tree) cursor() int {
	return slices.IndexFunc(t.rows, func(r treeRow) bool { return r.rowID == t.sel })
}

// settle makes sure that a visible row is selected and on screen: the one that was selected, else its component, else what stands
// where it stood. As long as nobody has selected anything, it is the first reason why the verdict is not GO.
func (t *tree) settle(a *probes.Assessment, before, height int) {
	if !t.touched {
		for _, r := range a.Reasons {
			if id := (rowID{check: true, id: r.Gate}); r.Gate != "" && t.has(id) {
				t.sel = id
				break
			}
		}
	}
	at := t.cursor()
	if at < 0 && t.sel.check {
		for i, r := range t.rows {
			if r.item < 0 && hasItem(&a.Components[r.comp], t.sel.id) {
				at = i
			}
		}
	}
	if at < 0 {
		at = min(max(before, 0), len(t.rows)-1)
	}
	if at >= 0 {
		t.sel = t.rows[at].rowID
	}
	t.scroll(at, height)
}

func (t *tree) has(id rowID) bool {
	return slices.ContainsFunc(t.rows, func(r treeRow) bool { return r.rowID == id })
}

func hasItem(c *probes.ComponentScore, id probes.ID) bool {
	return slices.ContainsFunc(c.Items, func(i probes.Item) bool { return i.Spec.ID == id })
}

// scroll brings a row on screen with a line of context, and leaves no empty space below the last.
func (t *tree) scroll(at, height int) {
	margin := min(1, max(0, (height-1)/2))
	t.top = min(t.top, at-margin)
	t.top = max(t.top, at+margin-height+1)
	t.top = max(0, min(t.top, len(t.rows)-height))
}

// move selects the row that is n further down.
func (t *tree) move(n int) {
	if len(t.rows) == 0 {
		return
	}
	t.selectRow(min(max(t.cursor()+n, 0), len(t.rows)-1))
}

func (t *tree) selectRow(at int) {
	t.sel, t.touched = t.rows[at].rowID, true
}

// wheel moves what is visible by n rows and takes the selection along when it would leave the screen.
func (t *tree) wheel(n, height int) {
	if len(t.rows) <= height || height <= 0 {
		return
	}
	t.top = max(0, min(t.top+n, len(t.rows)-height))
	margin := min(1, max(0, (height-1)/2))
	low, high := t.top+margin, t.top+height-1-margin
	if t.top == 0 {
		low = 0
	}
	if t.top == len(t.rows)-height {
		high = len(t.rows) - 1
	}
	if at := t.cursor(); at < low || at > high {
		t.selectRow(min(max(at, low), high))
	}
}
