package actions_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/254carbon/gonogo/actions"
)

func TestInputsAreSettled(t *testing.T) {
	spec := actions.Spec{ID: "mirror", Inputs: []actions.Input{
		{Name: "apply", Default: "false", Options: []string{"false", "true"}}, {Name: "folder", Default: "patches"},
	}}
	for name, c := range map[string]struct {
		in   actions.Inputs
		want actions.Inputs
		says string
	}{
		"defaults":        {want: actions.Inputs{"apply": "false", "folder": "patches"}},
		"given":           {in: actions.Inputs{"apply": "true", "folder": ""}, want: actions.Inputs{"apply": "true", "folder": ""}},
		"no such value":   {in: actions.Inputs{"apply": "yes"}, says: "apply takes false, true"},
		"no such input":   {in: actions.Inputs{"aply": "true"}, says: "it has apply, folder"},
		"more than known": {in: actions.Inputs{"apply": "true", "force": "x"}, says: "no such input"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := spec.Settle(c.in)
			if c.says != "" {
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Fatalf("got %v, want an error with %q", err, c.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
	if _, err := (actions.Spec{ID: "x"}).Settle(actions.Inputs{"a": "b"}); err == nil || !strings.Contains(err.Error(), "takes no inputs") {
		t.Errorf("without inputs: %v", err)
	}
}

func TestPlan(t *testing.T) {
	p := actions.Plan{Action: "mirror", Steps: []actions.Step{
		{ID: "a", Title: "A", Effect: actions.Creates, Size: actions.Amount{Units: 1, Bytes: 10}},
		{ID: "b", Title: "B", Effect: actions.Deletes, Needs: []string{"a"}, Size: actions.Amount{Bytes: 5}},
		{ID: "c", Title: "C", Effect: actions.Deletes, Cleanup: true},
		{ID: "d", Title: "D"},
	}}
	if err := p.Validate(); err != nil {
		t.Error(err)
	}
	if p.Worst() != actions.Deletes || p.Changes() != 2 || p.Size() != (actions.Amount{Units: 1, Bytes: 15}) {
		t.Errorf("worst %s, %d changes, %v", p.Worst(), p.Changes(), p.Size())
	}
	later := p
	later.MadeAt = time.Unix(1, 0)
	if p.Digest() != later.Digest() {
		t.Error("the digest depends on when the plan was made")
	}
	later.Steps = later.Steps[1:]
	if p.Digest() == later.Digest() {
		t.Error("the digest does not depend on the steps")
	}
	for says, steps := range map[string][]actions.Step{
		"without a name":           {{ID: "a"}},
		"two steps":                {{ID: "a", Title: "A"}, {ID: "a", Title: "A"}},
		"does not come before":     {{ID: "a", Title: "A", Needs: []string{"b"}}, {ID: "b", Title: "B"}},
		"which does not come befo": {{ID: "a", Title: "A", Needs: []string{"a"}}},
	} {
		if err := (actions.Plan{Steps: steps}).Validate(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var back actions.Plan
	if err := json.Unmarshal(text, &back); err != nil || back.Digest() != p.Digest() {
		t.Errorf("a plan read back is another one: %v", err)
	}
	if err := json.Unmarshal([]byte(`{"steps":[{"effect":"burns"}]}`), &back); err == nil {
		t.Error("an unknown effect was taken")
	}
}

func TestStateFollowsEvents(t *testing.T) {
	p := actions.Plan{Steps: []actions.Step{
		{ID: "a", Title: "A", Size: actions.Amount{Bytes: 10}}, {ID: "b", Title: "B", Size: actions.Amount{Bytes: 10}}, {ID: "c", Title: "C"}, {ID: "s", Title: "S"},
	}}
	at := time.Unix(1000, 0)
	var s actions.State
	tell := func(events ...actions.Event) {
		for _, e := range events {
			e.Seq, e.At = s.Seq+1, at
			s = s.With(e)
		}
	}
	tell(
		actions.Event{Kind: actions.Started, By: "ana@bastion"},
		actions.Event{Kind: actions.Began, Step: "a"}, actions.Event{Kind: actions.Finished, Step: "a"},
		actions.Event{Kind: actions.Began, Step: "b"}, actions.Event{Kind: actions.Waiting, Step: "b", Text: "429"},
	)
	if s.Of("b").Waits != "429" {
		t.Error("it does not wait")
	}
	tell(actions.Event{Kind: actions.Progress, Step: "b", Done: actions.Amount{Bytes: 4}, Total: actions.Amount{Bytes: 20}})
	want := actions.Tally{Done: 1, Running: 1, Waiting: 2, Work: actions.Amount{Bytes: 14}, Total: actions.Amount{Bytes: 30}}
	if d := cmp.Diff(want, s.Tally(p)); d != "" {
		t.Error(d)
	}
	tell(
		actions.Event{Kind: actions.Failed, Step: "b", Text: "no space"}, actions.Event{Kind: actions.Left, Step: "c", Text: "needs b"},
		actions.Event{Kind: actions.Began, Step: "s"}, actions.Event{Kind: actions.Unclear, Step: "s", Text: "the process is gone"},
		actions.Event{Kind: actions.Cancelled}, actions.Event{Kind: actions.Ended, Outcome: actions.Wanting},
	)
	if d := cmp.Diff(actions.Tally{Done: 1, Failed: 1, Unclear: 1, Left: 1, Work: actions.Amount{Bytes: 10}, Total: actions.Amount{Bytes: 30}}, s.Tally(p)); d != "" {
		t.Error(d)
	}
	if !s.Outcome.Resumable() || !s.Cancelled {
		t.Errorf("%+v", s)
	}
	tell(
		actions.Event{Kind: actions.Resolved, Step: "s", Already: true}, actions.Event{Kind: actions.Started, By: "bea@bastion"},
		actions.Event{Kind: actions.Began, Step: "b"}, actions.Event{Kind: actions.Finished, Step: "b"},
		actions.Event{Kind: actions.Began, Step: "c"}, actions.Event{Kind: actions.Finished, Step: "c", Already: true},
		actions.Event{Kind: actions.Ended, Outcome: actions.Done, Points: &actions.Points{Before: 87, After: 90}},
	)
	if s.Tally(p).Done != 4 || s.Of("b").Tries != 2 || s.By != "ana@bastion" || s.Cancelled || s.Points.String() != "the score goes from 87 % to 90 %" {
		t.Errorf("%+v", s)
	}
}
