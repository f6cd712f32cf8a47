package tui

import (
	"image"

	tea "charm.land/bubbletea/v2"
)

// wheelStep is how many lines one notch of the wheel moves.
const wheelStep = 3

// click selects a row or gives a pane the keys, by where it is; a click on the selected row opens it.
func (m *Model) click(at tea.Mouse) {
	if at.Button != tea.MouseLeft || m.d.Mode.Wall || !m.have || m.layout.tiny {
		return
	}
	if m.overlay != noOverlay {
		m.overlay = noOverlay
		return
	}
	p, l := image.Pt(at.X, at.Y), m.layout
	switch {
	case m.focus.page():
	case p.In(l.list):
		m.clickRow(m.tree.top + p.Y - l.list.Min.Y)
	case p.In(l.detail):
		m.focus = m.right
	case p.In(l.next):
		m.focus, m.right, m.pane.top = focusNext, focusNext, 0
	}
}

func (m *Model) clickRow(n int) {
	m.focus = focusList
	if n >= len(m.tree.rows) {
		return
	}
	if m.tree.rows[n].rowID == m.tree.sel && m.tree.touched {
		m.openRow(true)
		return
	}
	m.tree.selectRow(n)
	m.pane.top, m.copied = 0, 0
}

// wheel scrolls what is below the pointer.
func (m *Model) wheel(at tea.Mouse) {
	n := wheelStep
	switch at.Button {
	case tea.MouseWheelUp:
		n = -wheelStep
	case tea.MouseWheelDown:
	default:
		return
	}
	p, l := image.Pt(at.X, at.Y), m.layout
	switch {
	case m.d.Mode.Wall || !m.have:
	case m.overlay == helpOverlay:
		m.help.scroll(n, m.overlayHeight())
	case m.overlay != noOverlay:
	case m.focus == focusHistory:
		m.hist.scroll.scroll(n, m.historyRoom())
	case m.focus == focusReport:
		m.report.scroll.scroll(n, l.detail.Dy())
	case m.focus == focusAction:
		m.action.scroll.scroll(n, l.detail.Dy())
	case m.focus == focusRuns:
		m.wheelRuns(n)
	case p.In(l.list):
		m.tree.wheel(n, l.list.Dy())
	case p.In(l.detail):
		m.pane.scroll(n, l.detail.Dy())
	}
}
