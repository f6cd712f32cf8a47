package tui

import "image"

// What the sizes mean. Below wide the detail is a page of its own; below roomy the board is reduced to what fits a phone; below small
// only the verdict is left.
const (
	wideWidth   = 100
	tallHeight  = 28
	roomyWidth  = 60
	roomyHeight = 16
	smallWidth  = 24
	smallHeight = 7
)

// layoutInput is everything that the layout depends on.
type layoutInput struct {
	w, h    int
	reasons int  // lines that the reasons would like
	notices int  // lines of banners
	next    int  // lines that the list of next steps would like, below the detail
	plain   bool // whether the percent is not drawn in large digits, whatever the room
	list    bool // whether the focus is on the list, where only one pane fits
	strip   bool // whether there is a line about runs
	page    bool // whether one pane takes the place of all, whatever the room
}

// layout says where everything is. A part with an empty rectangle is not drawn. The rectangles do not overlap.
type layout struct {
	bounds  image.Rectangle
	title   image.Rectangle // one line
	summary image.Rectangle // verdict, bar, counts, reasons
	rule    image.Rectangle // the titled line above the panes
	list    image.Rectangle
	divider image.Rectangle // between the panes; its middle column holds the line
	detail  image.Rectangle // detail, or what is next in full
	next    image.Rectangle // what is next in short, its titled line included
	notices image.Rectangle
	strip   image.Rectangle // the runs, in a line
	footer  image.Rectangle
	digits  bool // the percent in large digits
	counts  bool // the counts as a line of the summary instead of in the list's title
	reasons int  // lines given to the reasons
	wide    bool
	tiny    bool // the verdict alone
}

// newLayout is pure: the same input gives the same layout.
func newLayout(in layoutInput) layout {
	l := layout{bounds: image.Rect(0, 0, in.w, in.h)}
	if in.w < smallWidth || in.h < smallHeight {
		l.tiny = true
		return l
	}
	roomy := in.w >= roomyWidth && in.h >= roomyHeight
	l.wide = in.w >= wideWidth && in.h >= roomyHeight
	l.digits = l.wide && in.h >= tallHeight && !in.plain
	l.counts = !roomy

	top, bottom := 0, in.h
	take := func(n int) image.Rectangle {
		n = min(n, bottom-top)
		r := image.Rect(0, top, in.w, top+n)
		top += n
		return r
	}
	give := func(n int) image.Rectangle {
		n = min(n, bottom-top)
		r := image.Rect(0, bottom-n, in.w, bottom)
		bottom -= n
		return r
	}

	l.title = take(1)
	l.footer = give(1)
	if in.strip {
		l.strip = give(1)
	}
	l.notices = give(min(in.notices, max(1, in.h/10)))
	if l.digits {
		top++
	}
	l.reasons = min(in.reasons, 1)
	if roomy && (in.list || l.wide) {
		l.reasons = min(in.reasons, max(1, in.h/12))
	}
	if !in.list && !roomy { // a page of its own, with little room
		l.counts, l.reasons = false, 0
	}
	lines := 2 + l.reasons
	if l.counts {
		lines++
	}
	lines = min(lines, bottom-top-2) // the rule and a line of a pane
	if l.digits {
		lines = max(lines, 3)
	}
	l.summary = take(lines)
	if l.digits {
		top++
	}
	l.rule = take(1)
	l.wide = l.wide && !in.page
	l.panes(in, image.Rect(0, top, in.w, bottom))
	return l
}

// panes divides what is left below the rule.
func (l *layout) panes(in layoutInput, body image.Rectangle) {
	if !l.wide {
		if in.list {
			l.list = body
		} else {
			l.detail = body
		}
		return
	}
	left := in.w * 57 / 100
	l.list = image.Rect(0, body.Min.Y, left, body.Max.Y)
	l.divider = image.Rect(left, body.Min.Y, left+3, body.Max.Y)
	l.detail = image.Rect(left+3, body.Min.Y, in.w, body.Max.Y)
	if short := min(in.next, body.Dy()/3); in.next > 0 && short >= 3 {
		l.detail.Max.Y -= short
		l.next = image.Rect(left+3, l.detail.Max.Y, in.w, body.Max.Y)
	}
}
