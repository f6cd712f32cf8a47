package probes

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

func check(p ProbeFunc, change ...func(*Spec)) Check {
	return Check{Spec: spec("x", "a", 1, change...), Probe: p}
}

func TestAskKeepsTheContractWhateverTheProbeDoes(t *testing.T) {
	tests := []struct {
		name  string
		probe ProbeFunc
		want  string // in the error
	}{
		{"panic", func(context.Context) (Observation, error) { panic("boom") }, "the probe crashed: boom"},
		{"no status", func(context.Context) (Observation, error) { return Observation{}, nil }, "pending, which is not an answer"},
		{"status that is not its to say", func(context.Context) (Observation, error) { return Observation{Status: Blocked}, nil }, "not an answer"},
		{"warning worth nothing", func(context.Context) (Observation, error) { return Observation{Status: Warn}, nil }, "not between 0 and 1"},
		{"deadline noticed", func(ctx context.Context) (Observation, error) { <-ctx.Done(); return Observation{}, ctx.Err() }, "no answer within 5s"},
		{"deadline ignored", func(context.Context) (Observation, error) {
			time.Sleep(time.Hour)
			return Observation{Status: Pass}, nil
		}, "no answer within 5s"},
		{"hostile error", func(context.Context) (Observation, error) {
			return Observation{}, errors.New("a\x1b]52;c;eA==\x07b\nc")
		}, "ab c"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				r := Ask(t.Context(), check(tt.probe), nil)
				if r.Err == nil || !strings.Contains(r.Err.Error(), tt.want) {
					t.Errorf("error %v, want one with %q", r.Err, tt.want)
				}
				if r.Status != Pending || r.Evidence != nil {
					t.Errorf("an error came with %v", r.Observation)
				}
				if took := time.Since(began); took > 5*time.Second+grace {
					t.Errorf("took %s", took)
				}
				time.Sleep(2 * time.Hour) // lets the probe that ignores its deadline end
			})
		})
	}
}

func TestAskBoundsAndCleans(t *testing.T) {
	r := Ask(t.Context(), check(func(context.Context) (Observation, error) {
		o := Observation{Status: Fail, Summary: strings.Repeat("x\x1b[31m", 10000), Confirmed: time.Now().Add(time.Hour)}
		for range 1000 {
			o.Evidence = append(o.Evidence, Evidence{Subject: "s\u202e", Got: strings.Repeat("y", 10000)})
		}
		return o, nil
	}), nil)
	if n := utf8.RuneCountInString(r.Summary); n > maxSummary || strings.Contains(r.Summary, "\x1b") {
		t.Errorf("summary of %d runes", n)
	}
	if len(r.Evidence) != maxEvidence+1 || r.Evidence[maxEvidence].Subject != "and 800 more" || r.Evidence[0].Subject != "s" {
		t.Errorf("%d pieces of evidence", len(r.Evidence))
	}
	if r.Confirmed.After(r.Started) {
		t.Error("confirmed in the future")
	}
}

func TestAskConfirmed(t *testing.T) {
	pass, fail, lost := Observation{Status: Pass}, Observation{Status: Fail, Summary: "down"}, errors.New("lost")
	type reply struct {
		obs  Observation
		err  error
		hang bool
	}
	tests := []struct {
		name    string
		replies []reply
		want    Status // Unknown for an error
	}{
		{"pass", []reply{{obs: pass}}, Pass},
		{"failure then pass", []reply{{obs: fail}, {obs: pass}}, Pass},
		{"two failures", []reply{{obs: fail}, {obs: fail}}, Fail},
		{"failure then no answer", []reply{{obs: fail}, {hang: true}}, Unknown},
		{"failure then error", []reply{{obs: fail}, {err: lost}}, Unknown},
		{"error then failure", []reply{{err: lost}, {obs: fail}}, Fail},
		{"error then pass", []reply{{err: lost}, {obs: pass}}, Pass},
		{"no answer", []reply{{hang: true}}, Unknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				began := time.Now()
				r := AskConfirmed(t.Context(), check(func(ctx context.Context) (Observation, error) {
					reply := tt.replies[asked]
					asked++
					if reply.hang {
						<-ctx.Done()
						return Observation{}, ctx.Err()
					}
					return reply.obs, reply.err
				}, confirm(2)), nil)
				got := r.Status
				if r.Err != nil {
					got = Unknown
				}
				if got != tt.want {
					t.Errorf("%s (%v), want %s", got, r.Err, tt.want)
				}
				if time.Since(began) > 5*time.Second+grace {
					t.Errorf("took %s, more than the one timeout", time.Since(began))
				}
			})
		})
	}
}

func TestCleanTakesOutWhatIsNotSeen(t *testing.T) {
	for text, want := range map[string]string{
		"a\u061cb": "ab", "a\U000e0041\U000e0042b": "ab", "a\ufff9b\ufffac\ufffb": "abc", "a\u180eb": "ab", "\U0001f469\u200d\U0001f4bb": "\U0001f469\u200d\U0001f4bb",
	} {
		if got := Clean(text, 100); got != want {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"plain", "\x1b[31mred\x1b[0m", "a\x1b]0;title\x07b", "\xff\xfe", "\u009b31m", "ab\rcd\n", "👩‍💻", "\x1bP\x1b\\x"} {
		f.Add(s, 10)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit %= 1000
		got := Clean(s, limit)
		if n := utf8.RuneCountInString(got); limit > 0 && n > limit || limit <= 0 && n > 0 {
			t.Fatalf("%d runes of at most %d", n, limit)
		}
		if !utf8.ValidString(got) {
			t.Fatal("invalid UTF-8")
		}
		for _, r := range got {
			if r < 0x20 || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e {
				t.Fatalf("control %U kept in %q", r, got)
			}
		}
	})
}
