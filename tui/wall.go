package tui

func (m *Model) wallView() []string { return m.tinyView() }
