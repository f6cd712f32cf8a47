package profile

import (
	"crypto/sha256"
	_ "embed" // the built-in profile
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/probes"
)

//go:embed 254carbon.yaml
var builtin254Carbon []byte

// DefaultName is the name of the profile that is used when none is asked for.
const DefaultName = "254carbon"

// BuiltinNames lists the profiles that are built in.
func BuiltinNames() []string { return []string{DefaultName} }

// BuiltinSource returns the text of a built-in profile.
func BuiltinSource(name string) ([]byte, bool) {
	if name != DefaultName {
		return nil, false
	}
	return slices.Clone(builtin254Carbon), true
}

// Builtin returns a built-in profile.
func Builtin(name string, kinds []probes.KindInfo, acts ...actions.KindInfo) (*Profile, error) {
	src, ok := BuiltinSource(name)
	if !ok {
		return nil, fmt.Errorf("there is no built-in profile %q; %s", shown(name), instead(name, BuiltinNames()))
	}
	return Load(name+".yaml", src, kinds, acts...)
}

// Open returns the built-in profile of that name, or else the one in that file.
func Open(nameOrFile string, kinds []probes.KindInfo, acts ...actions.KindInfo) (*Profile, error) {
	if _, ok := BuiltinSource(nameOrFile); ok {
		return Builtin(nameOrFile, kinds, acts...)
	}
	p, err := LoadFile(nameOrFile, kinds, acts...)
	if errors.Is(err, fs.ErrNotExist) && !strings.ContainsAny(nameOrFile, `/\.`) {
		return nil, fmt.Errorf("%q is neither a built-in profile nor a file; %s", shown(nameOrFile), instead(nameOrFile, BuiltinNames()))
	}
	return p, err
}

// LoadFile reads a profile from a file, of which it reads no more than a profile may hold, and the lock of images beside it, if there is one.
func LoadFile(path string, kinds []probes.KindInfo, acts ...actions.KindInfo) (*Profile, error) {
	src, err := readBoth(path)
	if err != nil {
		return nil, err
	}
	return src.load(path, kinds, acts...)
}

func readSource(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", path) // reading a pipe might never end
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, maxSource+1))
}

// Load reads a profile. Its checks may use the given kinds of probes. What is wrong with it is returned as [Faults]. Name is what messages
// call it. Conditions on environment variables are decided now. The parameters of actions are read for the given kinds of actions; others are
// left as they are.
func Load(name string, src []byte, kinds []probes.KindInfo, acts ...actions.KindInfo) (*Profile, error) {
	faults := newCollector(name)
	root := parse(faults, src)
	if root == nil {
		return nil, faults.err()
	}
	doc := new(document)
	decoder{faults}.into(root, reflect.ValueOf(doc).Elem(), "")
	digest := sha256.Sum256(src)
	b := builder{collector: faults, doc: doc, kinds: map[string]probes.KindInfo{}, acts: map[string]actions.KindInfo{}}
	for _, k := range kinds {
		b.kinds[k.Name] = k
	}
	for _, k := range acts {
		b.acts[k.Name] = k
	}
	p := b.build()
	if err := faults.err(); err != nil {
		return nil, err
	}
	base := filepath.Base(name)
	p.Name, p.Source, p.Digest = strings.TrimSuffix(base, filepath.Ext(base)), name, hex.EncodeToString(digest[:])
	if err := p.Outline().Validate(); err != nil { // what this package has overlooked
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

// builder makes a Profile of a document. It goes on after faults; what it returns is only of use if there are none.
type builder struct {
	*collector
	doc      *document
	kinds    map[string]probes.KindInfo
	acts     map[string]actions.KindInfo
	declared probes.Declared
}

func (b *builder) build() *Profile {
	d := b.doc
	p := &Profile{
		Platform: d.Platform, Threshold: d.Threshold.Rat(), Services: d.Services, Images: d.Images, Exempt: d.Exempt,
		Attestations: d.Attestations, doc: d,
	}
	if at, ok := d.keys["apiVersion"]; ok && d.APIVersion != APIVersion {
		b.add(at, "apiVersion %q is not known; write %s", shown(d.APIVersion), APIVersion)
	}
	if p.Threshold.Cmp(hundred()) > 0 {
		b.add(d.of("threshold"), "threshold must be a percentage from 0 to 100, not %s", probes.FormatRat(p.Threshold))
	}
	d.Connections.check(b.collector)
	p.Connections = d.Connections
	if d.Cluster != nil {
		p.Cluster = *d.Cluster
		if !uidForm.MatchString(p.Cluster.UID) {
			b.add(p.Cluster.of("uid"), "cluster.uid is not a UID; kubectl get namespace kube-system -o jsonpath={.metadata.uid} prints it")
		}
	}
	b.inventory()
	b.declared = p.Declared()
	for _, id := range slices.Sorted(maps.Keys(d.Actions)) {
		p.Actions = append(p.Actions, b.action(id, d.Actions[id]))
	}
	p.Components = b.components()
	b.references()
	p.Waivers = b.waivers()
	b.attestations()
	return p
}

var (
	uidForm    = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	idForm     = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$`)
	hostForm   = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$`)
	digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// id reports an id that cannot be one or that was used before.
func (b *builder) id(at place, what string, id probes.ID, seen map[probes.ID]Pos) {
	pos, ok := at.keys["id"]
	if !ok {
		return // told as missing
	}
	if !idForm.MatchString(string(id)) {
		b.add(pos, "%q is no id; write small letters, digits, dots and hyphens, at most 63", shown(string(id)))
		return
	}
	if before, twice := seen[id]; twice {
		b.add(pos, "%s %s is declared twice, first in line %d; give one of them another id", what, id, before.Line)
		return
	}
	seen[id] = pos
}

// inventory checks services and images.
func (b *builder) inventory() {
	seen, keys := map[probes.ID]Pos{}, map[string]int{}
	for i := range b.doc.Images {
		image := &b.doc.Images[i]
		if before, twice := keys[image.Key]; twice && image.Key != "" {
			b.add(image.of("key"), "image %q is declared twice, first in line %d; give one of them another key", shown(image.Key), before)
		} else {
			keys[image.Key] = image.of("key").Line
		}
		if image.Digest != "" && !digestForm.MatchString(image.Digest) {
			b.add(image.of("digest"), "digest must be sha256: and 64 hexadecimal digits; crane digest %s prints it", shown(image.Source))
		}
	}
	for i := range b.doc.Services {
		s := &b.doc.Services[i]
		b.id(s.place, "service", s.ID, seen)
		if s.Host != "" && !hostForm.MatchString(s.Host) {
			b.add(s.of("host"), "host %q is no host name; write one like grafana.example.com", shown(s.Host))
		}
		if s.Protected && s.Host == "" {
			b.add(s.of("protected"), "service %s is protected but has no host; write its public host name", s.ID)
		}
		checkURL(b.collector, s.of("health"), "services.health", s.Health)
		switch s.Workload.Kind {
		case "", "Deployment", "StatefulSet", "DaemonSet":
		default:
			b.add(s.of("workload"), "workload kind %q is not known; %s", shown(s.Workload.Kind), instead(s.Workload.Kind, []string{"Deployment", "StatefulSet", "DaemonSet"}))
		}
		if _, ok := keys[s.Mirror]; s.Mirror != "" && !ok {
			b.add(s.of("mirror"), "image %q is not declared; %s", shown(s.Mirror), instead(s.Mirror, slices.Collect(maps.Keys(keys))))
		}
	}
}

func (b *builder) action(id string, a *Action) Action {
	if a == nil {
		return Action{}
	}
	if !idForm.MatchString(id) {
		b.add(a.self, "%q is no id of an action; write small letters, digits, dots and hyphens, at most 63", shown(id))
	}
	done := *a
	done.ID = probes.ID(id)
	if done.Kind == "" {
		done.Kind = id
	}
	if a.Key != "" && utf8.RuneCountInString(a.Key) != 1 {
		b.add(a.of("key"), "key must be one character, not %q", shown(a.Key))
	}
	if kind, ok := b.acts[done.Kind]; ok {
		if done.Key == "" {
			done.Key = kind.Key
		}
		done.Params = b.paramsOf(a.place, a.With, kind.Params, "actions."+id+".with", "action "+kind.Name)
	}
	return done
}

// waivers checks what each waiver is about. One that has expired is kept: it says why a gate is open again.
func (b *builder) waivers() []probes.Waiver {
	gates, all := map[probes.ID]bool{}, map[probes.ID]bool{}
	for _, c := range b.checks() {
		all[c.ID], gates[c.ID] = true, c.Gate
	}
	var kept []probes.Waiver
	for _, w := range b.doc.Waivers {
		switch id := w.Check.id; {
		case id == "":
		case !all[id]:
			b.dangling(w.Check, "check", all)
		case !gates[id] && len(b.faults) == 0: // else it may be one when what is wrong is mended
			b.add(w.Check.pos, "check %s is no gate; a waiver covers a gate, so that this one would change nothing: remove it", id)
		}
		kept = append(kept, probes.Waiver{Check: w.Check.id, Owner: w.Owner, Reason: w.Reason, Expires: w.Expires.End()})
	}
	return kept
}

func (b *builder) attestations() {
	all := map[probes.ID]bool{}
	for _, c := range b.checks() {
		all[c.ID] = true
	}
	for i := range b.doc.Attestations {
		a := &b.doc.Attestations[i]
		if a.Check.id != "" && !all[a.Check.id] {
			b.dangling(a.Check, "check", all)
		}
		if a.Expires.Before(a.On.Time) && !a.Expires.IsZero() {
			b.add(a.of("expires"), "the attestation expires before it was given; write a later day")
		}
	}
}

func (b *builder) dangling(r ref, what string, known map[probes.ID]bool) {
	names := make([]string, 0, len(known))
	for id := range known {
		names = append(names, string(id))
	}
	hint := fmt.Sprintf("there are %d declared", len(names))
	if best := nearest(string(r.id), names); best != "" {
		hint = fmt.Sprintf("did you mean %q?", best)
	} else if len(names) <= 12 {
		hint = instead(string(r.id), names)
	}
	b.add(r.pos, "%s %q is not declared; %s", what, shown(string(r.id)), hint)
}
