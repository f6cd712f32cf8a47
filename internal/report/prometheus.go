package report

import (
	"fmt"
	"io"
	"math/big"
	"strconv"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/254carbon/gonogo/probes"
)

// WritePrometheus writes the result in Prometheus's text form, for a textfile collector or a push gateway.
func WritePrometheus(w io.Writer, a probes.Assessment, m Meta) error {
	for _, family := range Metrics(a, m) {
		if _, err := expfmt.MetricFamilyToText(w, family); err != nil {
			return fmt.Errorf("writing metric %s: %w", family.GetName(), err)
		}
	}
	return nil
}

// Metrics returns the result as gauges. Those of the score are left out when only some checks were asked. What was never measured has no
// age.
func Metrics(a probes.Assessment, m Meta) []*dto.MetricFamily {
	var g gauges
	g.add("gonogo_platform_info", "The platform and the profile that it is judged by.", 1, "platform", a.Outline.Platform, "profile", a.Outline.Profile)
	if m.Only == nil {
		g.score(a)
		for _, c := range a.Components {
			g.component(c)
		}
	}
	for _, i := range a.Items() {
		if m.Only == nil || m.Only[i.Spec.ID] {
			g.check(i)
		}
	}
	return g.families
}

// gauges collects metrics by family, in the order in which the families were first named.
type gauges struct{ families []*dto.MetricFamily }

// add adds one sample; labels are names and values by turns, the names in alphabetical order.
func (g *gauges) add(name, help string, value float64, labels ...string) {
	var family *dto.MetricFamily
	for _, f := range g.families {
		if f.GetName() == name {
			family = f
		}
	}
	if family == nil {
		family = &dto.MetricFamily{Name: &name, Help: &help, Type: dto.MetricType_GAUGE.Enum()}
		g.families = append(g.families, family)
	}
	sample := &dto.Metric{Gauge: &dto.Gauge{Value: &value}}
	for n := 0; n < len(labels); n += 2 {
		label, content := labels[n], text(labels[n+1])
		sample.Label = append(sample.Label, &dto.LabelPair{Name: &label, Value: &content})
	}
	family.Metric = append(family.Metric, sample)
}

func (g *gauges) score(a probes.Assessment) {
	g.add("gonogo_score_percent", "Points earned of those possible, in percent, rounded down.", float64(a.Percent))
	g.add("gonogo_score_high_percent", "The score if everything that could not be measured passed.", float64(a.HighPct))
	g.add("gonogo_score_threshold_percent", "The score that GO needs, gates aside.", number(a.Outline.Threshold))
	g.add("gonogo_score_points", "Points earned.", number(a.Earned))
	g.add("gonogo_score_possible_points", "Points that could be earned.", number(a.Possible))
	for _, v := range []probes.Verdict{probes.Go, probes.NoGo, probes.VerdictUnknown} {
		g.add("gonogo_verdict", "1 for the verdict that is reached, 0 for the others.", truth(v == a.Verdict), "verdict", v.String())
	}
	open := 0
	for _, i := range a.Items() {
		if i.Spec.Gate && !i.Satisfied() {
			open++
		}
	}
	g.add("gonogo_open_gates", "Gates that keep the verdict from GO.", float64(open))
	g.add("gonogo_last_sweep_timestamp_seconds", "When the checks were asked.", float64(a.At.UnixMilli())/1000)
	g.add("gonogo_remaining_seconds", "Work that is left, as an estimate.", a.Remaining.Max.Seconds(), "bound", "max")
	g.add("gonogo_remaining_seconds", "", a.Remaining.Min.Seconds(), "bound", "min")
}

func (g *gauges) component(c probes.ComponentScore) {
	id := string(c.Component.ID)
	g.add("gonogo_component_percent", "What a component earns of its weight, in percent, rounded down.", float64(c.Percent), "component", id)
	g.add("gonogo_component_points", "Points that a component earns.", number(c.Earned), "component", id)
	if c.Component.Declared != nil {
		g.add("gonogo_component_declared_percent", "What a status document claims of a component.", float64(*c.Component.Declared), "component", id)
	}
}

func (g *gauges) check(i probes.Item) {
	id, component := string(i.Spec.ID), string(i.Spec.Component)
	g.add("gonogo_check_status", "1 for the status that a check has.", 1, "check", id, "component", component, "gate", strconv.FormatBool(i.Spec.Gate), "status", i.Status.String())
	g.add("gonogo_check_points", "Points that a check earns.", number(i.Points), "check", id, "component", component)
	g.add("gonogo_check_possible_points", "Points that a check could earn.", number(i.Worth), "check", id, "component", component)
	if i.Spec.Gate {
		g.add("gonogo_check_gate_satisfied", "1 if a gate passes or is waived.", truth(i.Satisfied()), "check", id, "component", component)
	}
	if i.Confirmed.IsZero() {
		return
	}
	g.add("gonogo_check_age_seconds", "Time since the source last confirmed the answer.", i.Age.Seconds(), "check", id, "component", component)
	g.add("gonogo_check_duration_seconds", "How long asking took.", i.Took.Seconds(), "check", id, "component", component)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// number is a rational as a sample; nothing is 0.
func number(r *big.Rat) float64 {
	if r == nil {
		return 0
	}
	f, _ := r.Float64()
	return f
}
