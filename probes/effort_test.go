package probes

import (
	"testing"
	"time"
)

func TestEffortReadsAsPeopleSayIt(t *testing.T) {
	tests := map[string]Effort{
		"":           {},
		"1–2 h":      {Min: time.Hour, Max: 2 * time.Hour},
		"1.5–3 h":    {Min: 90 * time.Minute, Max: 3 * time.Hour},
		"30 min":     {Min: 30 * time.Minute, Max: 30 * time.Minute},
		"3–5 d":      {Min: 3 * Workday, Max: 5 * Workday},
		"0–2 d":      {Max: 2 * Workday},
		"2 h":        {Min: 2 * time.Hour, Max: 2 * time.Hour},
		"7–12 h":     {Min: 7 * time.Hour, Max: 12 * time.Hour},
		"10–40 min":  {Min: 10 * time.Minute, Max: 40 * time.Minute},
		"0.5–1.5 h":  {Min: 30 * time.Minute, Max: 90 * time.Minute},
		"1.5–2.5 d":  {Min: 12 * time.Hour, Max: 20 * time.Hour},
		"1 d":        {Min: Workday, Max: Workday},
		"4–7 h":      {Min: 4 * time.Hour, Max: 7 * time.Hour},
		"2–3 h":      {Min: 2 * time.Hour, Max: 3 * time.Hour},
		"15–20 min":  {Min: 15 * time.Minute, Max: 20 * time.Minute},
		"20–30 min":  {Min: 20 * time.Minute, Max: 30 * time.Minute},
		"100–200 d":  {Min: 100 * Workday, Max: 200 * Workday},
		"1–1.5 h":    {Min: time.Hour, Max: 90 * time.Minute},
		"45–50 min":  {Min: 45 * time.Minute, Max: 50 * time.Minute},
		"0.5–2.5 d":  {Min: Workday / 2, Max: 5 * Workday / 2},
		"1–59 min":   {Min: time.Minute, Max: 59 * time.Minute},
		"5.5–11.5 h": {Min: 330 * time.Minute, Max: 690 * time.Minute},
	}
	for want, e := range tests {
		if got := e.String(); got != want {
			t.Errorf("%v is %q, want %q", e, got, want)
		}
	}
}
