package survey

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/254carbon/gonogo/probes"
)

// YAML writes the draft as a profile, with comments that say what was found and what is left to fill in.
func (d *Draft) YAML() ([]byte, error) {
	p := &page{}
	p.header(d)
	p.connections(d)
	p.line("")
	p.line("cluster: {uid: %s} # the namespace kube-system's; nothing is ever done to another cluster", p.scalar(d.found.UID))
	p.line("")
	p.line("# Components are worth points, checks have weights within theirs. All are worth the same here: say what matters more.")
	p.line("# gate: true on a check means that without it the verdict is never GO. declared: 80 on a component says what a status document claims.")
	p.line("components:")
	for _, c := range d.components {
		p.component(c)
	}
	p.leftOut(d)
	return p.out.Bytes(), p.err
}

// page is a text being written; it keeps the first error.
type page struct {
	out bytes.Buffer
	err error
}

func (p *page) line(format string, args ...any) {
	p.out.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " ") + "\n")
}

// comment writes a remark over as many lines as it needs.
func (p *page) comment(indent, text string) {
	p.line("%s# %s", indent, probes.Clean(text, 400))
}

// dump writes a value as YAML, what is innermost on one line.
func (p *page) dump(value any) string {
	var node yaml.Node
	plain, err := dump(value)
	if err == nil {
		err = yaml.Load(plain, &node)
	}
	if err == nil {
		flow(&node)
		plain, err = dump(&node)
	}
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("writing the profile: %w", err)
	}
	return strings.TrimRight(string(plain), "\n")
}

func dump(value any) ([]byte, error) {
	var b bytes.Buffer
	d, err := yaml.NewDumper(&b, yaml.WithIndent(2), yaml.WithLineWidth(-1))
	if err == nil {
		err = d.Dump(value)
	}
	if err == nil {
		err = d.Close()
	}
	return b.Bytes(), err
}

// flow puts collections of few short words on one line each.
func flow(n *yaml.Node) {
	const most = 150
	length := 0
	for _, child := range n.Content {
		flow(child)
		if child.Kind != yaml.ScalarNode {
			length += most
		}
		length += len(child.Value) + 2
	}
	if (n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode) && length <= most {
		n.Style = yaml.FlowStyle
	}
}

// scalar writes a text as one word of YAML, quoted where that is needed.
func (p *page) scalar(text string) string { return p.dump(text) }

func (p *page) header(d *Draft) {
	p.line("# A first profile of %s, drafted by gonogo profile init from what its cluster has.", probes.Clean(d.Platform, 100))
	p.line("# Every check in it can be asked. Whether it asks for what production needs is for a person to say: read it, and change it.")
	p.line("#")
	p.line("#   gonogo --profile FILE                    the board")
	p.line("#   gonogo profile validate FILE             what is wrong with it, with line and column")
	p.line("#   gonogo profile show                      the built-in profile, with a check of every kind")
	p.line("apiVersion: gonogo/v1")
	p.line("platform: %s", p.scalar(d.Platform))
	p.line("threshold: 95 # percent for GO, gates aside")
	p.line("")
}

// connections writes those that a check is asked over, and as comments how to add the others.
func (p *page) connections(d *Draft) {
	p.line("connections: # secrets stand elsewhere: {env: NAME}, {file: PATH}, {secret: namespace/name/key}")
	p.line("  kubernetes: {context: %s} # empty: the current context", strconv.Quote(d.Context))
	if d.uses("prometheus") {
		p.line("  prometheus: {service: %s} # through the API server; or url: https://…", strconv.Quote(d.found.Prometheus.Service))
	} else {
		p.line("  # prometheus: {service: \"namespace/name:9090\"} # none was found that answers")
	}
	if d.uses("harbor") {
		p.line("  harbor:")
		p.line("    url: %s", p.scalar(d.found.Harbor))
		p.line("    # read: {username: {env: HARBOR_USER}, password: {env: HARBOR_PASSWORD}} # for harbor.robot and other checks that need a login")
	} else {
		p.line("  # harbor: {url: https://harbor.example.com} # none was found that answers")
	}
	p.line("  # cloudflare: {account: {env: CLOUDFLARE_ACCOUNT_ID}, read: {token: {env: CLOUDFLARE_READ_TOKEN}}}")
	p.line("  # checkout: {path: ~/platform} # of the platform's repository, for its guides and scripts")
}

func (p *page) component(c *component) {
	p.line("")
	if c.comment != "" {
		p.comment("", c.comment)
	}
	p.line("- id: %s", p.scalar(c.id))
	p.line("  title: %s", p.scalar(c.title))
	p.line("  weight: 10")
	p.line("  checks:")
	for _, k := range c.checks {
		p.check(k)
	}
}

func (p *page) check(k *check) {
	if k.comment != "" {
		p.comment("  ", k.comment)
	}
	p.line("  - id: %s", p.scalar(k.id))
	p.line("    title: %s", p.scalar(k.title))
	p.line("    probe: %s", k.probe)
	if k.with != nil {
		p.with(strings.Split(p.dump(k.with), "\n"))
	}
	p.line("    weight: 1")
	if k.gate {
		p.line("    gate: true")
	}
	p.line("    every: %s", k.every)
	p.line("    remedy: %s", p.scalar(k.remedy))
}

// with writes the parameters of a check.
func (p *page) with(lines []string) {
	if len(lines) == 1 {
		p.line("    with: %s", lines[0])
		return
	}
	p.line("    with:")
	for _, s := range lines {
		p.line("      %s", s)
	}
}

// leftOut says what was found and is not asked, so that a person can take it up.
func (p *page) leftOut(d *Draft) {
	var notes []string
	for _, x := range d.dropped {
		notes = append(notes, fmt.Sprintf("check %s: it cannot be asked: %s", x.id, x.reason))
	}
	for _, host := range d.found.Silent {
		notes = append(notes, "host "+host+": nothing answers there from this machine")
	}
	for _, w := range d.found.Idle {
		notes = append(notes, w+": it wants no pods")
	}
	for _, text := range d.found.Unseen {
		notes = append(notes, "could not be read: "+text)
	}
	if len(notes) == 0 {
		return
	}
	p.line("")
	p.line("# Left out:")
	const most = 60
	for _, n := range notes[:min(len(notes), most)] {
		p.comment("", "- "+n)
	}
	if more := len(notes) - most; more > 0 {
		p.line("# - and %d more", more)
	}
}
