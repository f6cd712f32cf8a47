package probes

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkAssess scores a profile of the built-in one's size, as the board does for every answer.
func BenchmarkAssess(b *testing.B) {
	o := Outline{}
	var results []Result
	for c := range 11 {
		cid := ID(fmt.Sprintf("component-%d", c))
		o.Components = append(o.Components, component(cid, 9))
		for n := range 5 {
			s := spec(ID(fmt.Sprintf("check-%d-%d", c, n)), cid, int64(n))
			if n > 0 && c%3 == 0 {
				s.BlockedBy = []ID{ID(fmt.Sprintf("check-%d-%d", c, n-1))}
			}
			o.Specs = append(o.Specs, s)
			results = append(results, answer(s.ID, []Status{Pass, Pass, Warn, Fail}[(c+n)%4]))
		}
	}
	l := checklist(b, o).With(results...)
	b.ReportAllocs()
	for b.Loop() {
		l.Assess(noon.Add(time.Second))
	}
}
