package tui

import (
	"context"
	"slices"

	tea "charm.land/bubbletea/v2"

	"github.com/254carbon/gonogo/actions"
)

// askName is the question of the page for the platform's name.
const askName = "name"

// pressAnswer takes the answer to what the page asks: whether to cancel, or what became of a step.
func (m *Model) pressAnswer(k tea.KeyPressMsg) tea.Cmd {
	r, v := &m.runs, m.run()
	ask := r.ask
	r.ask = ""
	if v == nil {
		return nil
	}
	unclear := m.unclear(v)
	switch s := k.String(); {
	case ask == "x" && s == "y":
		return m.tell(func(ctx context.Context) error { return m.d.Actions.Cancel(ctx, v.info.ID) }, string(v.info.ID)+" was asked to end")
	case ask == "u" && len(unclear) == 0 && s == "y":
		return m.goOn(v, nil)
	case ask == "u" && len(unclear) > 0 && (s == "d" || s == "a"):
		answer := actions.ItIsDone
		if s == "a" {
			answer = actions.DoAgain
		}
		answers := map[string]actions.Answer{}
		for _, id := range unclear {
			answers[id] = answer
		}
		return m.goOn(v, answers)
	}
	return nil
}

// goOn resumes a run; one that deletes or replaces something only once the platform's name is typed, as when it was started.
func (m *Model) goOn(v *runView, answers map[string]actions.Answer) tea.Cmd {
	if v.info.Plan.Worst() != actions.Deletes {
		return m.resume(v, answers, "")
	}
	m.runs.ask, m.runs.answers, m.runs.typed = askName, answers, filterInput{typing: true}
	return nil
}

// pressName handles keys while the platform's name is typed to go on with a run.
func (m *Model) pressName(k tea.KeyPressMsg) tea.Cmd {
	r, v := &m.runs, m.run()
	switch s := k.String(); {
	case s == "esc" || v == nil:
		r.ask, r.answers, r.typed = "", nil, filterInput{}
	case s == "enter" && r.typed.text != v.info.Plan.Platform:
		return m.say("that is not the platform's name, " + v.info.Plan.Platform)
	case s == "enter":
		answers, typed := r.answers, r.typed.text
		r.ask, r.answers, r.typed = "", nil, filterInput{}
		return m.resume(v, answers, typed)
	default:
		r.typed.edit(k)
	}
	return nil
}

// unclear are the steps of which nobody knows whether they had their effect.
func (m *Model) unclear(v *runView) []string {
	var all []string
	for _, s := range v.info.Plan.Steps {
		at := v.state.Of(s.ID)
		if at.Status == actions.StepUnclear || at.Status == actions.StepRunning && s.Unrepeatable && !v.info.Alive {
			all = append(all, s.ID)
		}
	}
	return all
}

// resume goes on with a run. Typed is the platform's name as the person typed it.
func (m *Model) resume(v *runView, answers map[string]actions.Answer, typed string) tea.Cmd {
	engine, id := m.d.Actions, v.info.ID
	m.runs.begun = append(slices.Clip(m.runs.begun), id)
	return m.tell(func(ctx context.Context) error { return engine.Resume(ctx, id, answers, typed) }, string(id)+" goes on")
}

// tell does something about a run and says how that went.
func (m *Model) tell(do func(ctx context.Context) error, done string) tea.Cmd {
	parent := m.ctx
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(parent, startTimeout)
		defer cancel()
		if err := do(ctx); err != nil {
			return toldMsg{err.Error()}
		}
		return toldMsg{done}
	}
}
