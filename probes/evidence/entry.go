// Package evidence knows the evidence record: what was proved about a platform, or said of it, and by whom. It holds the form of its entries
// and asks whether a proof is there that a check wants: a test backup, a verified restore.
package evidence

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// ObjectName is the name of the ConfigMap that holds the record.
const ObjectName = "gonogo-evidence"

// The kinds of entries.
const (
	Proof       = "proof"       // something was done to the platform and came out well or not: a backup, a restore
	Finding     = "finding"     // what a check found where only somebody else can look: files in a pipeline
	Waiver      = "waiver"      // a gap in a gate that somebody accepts
	Attestation = "attestation" // somebody's word
)

// The results of entries.
const (
	Passed  = "pass"
	Partial = "warn"
	Failed  = "fail"
	Removed = "removed" // takes back the waiver or attestation before it
)

// The scopes of proofs.
const (
	Objects = "objects" // of the objects of the API alone
	Volumes = "volumes" // of what the volumes hold too
)

// format is the version of the form of entries; what has a higher one is left to newer programs.
const format = 1

// Entry is one thing in the record.
type Entry struct {
	Format     int       `json:"v"`
	Kind       string    `json:"kind"`
	Check      probes.ID `json:"check"`
	Result     string    `json:"result"`
	Scope      string    `json:"scope,omitempty"`
	Summary    string    `json:"summary,omitempty"` // one line
	Digest     string    `json:"digest,omitempty"`  // of what was looked at
	By         string    `json:"by"`                // who answers for it
	Run        string    `json:"run,omitempty"`     // what wrote it: a run of an action, a pipeline's job
	At         time.Time `json:"at"`
	ValidUntil time.Time `json:"validUntil,omitzero"` // the first moment at which it does not hold any more
	Note       string    `json:"note,omitempty"`      // a reason, in somebody's words
	Details    Details   `json:"details,omitzero"`

	Key   string `json:"-"` // in the record
	Place string `json:"-"` // where it is kept, if not in the cluster: "this machine", "the profile"
	Fault error  `json:"-"` // why it cannot be read; then only Kind, Check and At are known, as far as the key says
}

// Details are what is particular to a kind of entry.
type Details struct {
	Backup     string  `json:"backup,omitempty"` // namespace/name of the backup it is about
	Phase      string  `json:"phase,omitempty"`  // of the backup at its end
	Items      int     `json:"items,omitempty"`
	Equal      bool    `json:"contentEqual,omitempty"` // whether what was restored had the content of what was backed up
	Rule       string  `json:"rule,omitempty"`         // what a finding is an answer to
	RTOSeconds float64 `json:"rtoSeconds,omitempty"`   // from the first step of a restore until its content was equal
}

// maxEntry bounds one entry.
const maxEntry = 8 << 10

var keyForm = regexp.MustCompile(`^([a-z]+)\.([a-z0-9.-]+)\.([0-9]{8}T[0-9]{6}Z)-[0-9a-f]{8}$`)

const keyTime = "20060102T150405Z"

// Encode returns an entry as it is kept: its key, which orders the entries of a check by time, and its text.
func (e Entry) Encode() (key, text string, err error) {
	e.Format, e.At, e.ValidUntil = format, e.At.UTC().Truncate(time.Second), e.ValidUntil.UTC()
	e.Summary, e.Note, e.By = probes.Clean(e.Summary, 400), probes.Clean(e.Note, 1000), probes.Clean(e.By, 200)
	if e.Kind == "" || e.Check == "" || e.Result == "" || e.By == "" || e.At.IsZero() {
		return "", "", errors.New("an entry of the evidence record needs a kind, a check, a result, who answers for it, and a time")
	}
	raw, err := json.Marshal(e)
	if err != nil {
		return "", "", fmt.Errorf("encoding an entry of the evidence record: %w", err)
	}
	if len(raw) > maxEntry {
		return "", "", fmt.Errorf("an entry of the evidence record may have %d bytes, this one has %d", maxEntry, len(raw))
	}
	sum := sha256.Sum256(raw)
	key = fmt.Sprintf("%s.%s.%s-%s", e.Kind, e.Check, e.At.Format(keyTime), hex.EncodeToString(sum[:4]))
	if !keyForm.MatchString(key) {
		return "", "", fmt.Errorf("%q cannot be a key of the evidence record", key)
	}
	return key, string(raw), nil
}

// Decode reads an entry. One that cannot be read says why in Fault, and what its key says of it.
func Decode(key, text string) Entry {
	broken := func(err error) Entry {
		e := Entry{Key: key, Fault: err}
		if m := keyForm.FindStringSubmatch(key); m != nil {
			e.Kind, e.Check = m[1], probes.ID(m[2])
			e.At, _ = time.Parse(keyTime, m[3])
		}
		return e
	}
	if len(text) > maxEntry {
		return broken(fmt.Errorf("it has more than %d bytes", maxEntry))
	}
	var e Entry
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		return broken(errors.New("it is not what gonogo writes"))
	}
	e.Key = key
	m := keyForm.FindStringSubmatch(key)
	switch {
	case e.Format > format:
		return broken(fmt.Errorf("a newer gonogo wrote it, in form %d", e.Format))
	case e.Format < 1 || e.Kind == "" || e.Check == "" || e.Result == "" || e.At.IsZero():
		return broken(errors.New("it is not complete"))
	case m == nil || m[1] != e.Kind || m[2] != string(e.Check):
		return broken(errors.New("its key is another entry's"))
	}
	return e
}

// Readable reports whether the entry could be read.
func (e Entry) Readable() bool { return e.Fault == nil }

// HoldsAt reports whether the entry has begun and not ended at a moment.
func (e Entry) HoldsAt(now time.Time) bool {
	return !e.At.After(now.Add(clockSkew)) && (e.ValidUntil.IsZero() || now.Before(e.ValidUntil))
}

// clockSkew is how far the clocks of those who write the record may be apart.
const clockSkew = 2 * time.Minute

// Group names what an entry is about, so that of two with the same name the newer one counts.
func (e Entry) Group() string { return e.Kind + " " + string(e.Check) + " " + e.Scope }

// Of returns the entries of a kind about a check, newest first.
func Of(entries []Entry, kind string, check probes.ID) []Entry {
	var some []Entry
	for _, e := range entries {
		if e.Kind == kind && (check == "" || e.Check == check) {
			some = append(some, e)
		}
	}
	slices.SortStableFunc(some, func(a, b Entry) int {
		return cmp.Or(b.At.Compare(a.At), strings.Compare(a.Key, b.Key))
	})
	return some
}

// Standing returns the entries of a kind about a check that were not taken back, newest first, whether they still hold or not. Nothing is
// known of what came before an entry that cannot be read.
func Standing(entries []Entry, kind string, check probes.ID) []Entry {
	var standing []Entry
	for _, e := range Of(entries, kind, check) {
		if e.Place != declaredPlace && (!e.Readable() || e.Result == Removed) {
			break
		}
		standing = append(standing, e)
	}
	for _, e := range entries { // what a profile declares is taken back there alone
		if e.Place == declaredPlace && e.Kind == kind && e.Check == check && !slices.Contains(keysOf(standing), e.Key) {
			standing = append(standing, e)
		}
	}
	return standing
}

func keysOf(entries []Entry) []string {
	keys := make([]string, len(entries))
	for i, e := range entries {
		keys[i] = e.Key
	}
	return keys
}

// Holding returns the newest of the standing entries of a kind about a check that holds at a moment.
func Holding(entries []Entry, kind string, check probes.ID, now time.Time) (Entry, bool) {
	for _, e := range Standing(entries, kind, check) {
		if e.HoldsAt(now) {
			return e, true
		}
	}
	return Entry{}, false
}

// MaxTerm is the longest that a waiver or an attestation may hold.
const MaxTerm = 366 * 24 * time.Hour

// Waivers returns the waivers among the entries that were not taken back, for the checklist to judge. One without an end, or from the future,
// is none; one that ends after MaxTerm ends then.
func Waivers(entries []Entry, now time.Time) []probes.Waiver {
	var all []probes.Waiver
	seen := map[probes.ID]bool{}
	for _, w := range Of(entries, Waiver, "") {
		if seen[w.Check] {
			continue
		}
		seen[w.Check] = true
		for _, e := range Standing(entries, Waiver, w.Check) {
			if e.ValidUntil.IsZero() || e.At.After(now.Add(clockSkew)) {
				continue
			}
			end := e.ValidUntil
			if latest := e.At.Add(MaxTerm); end.After(latest) {
				end = latest
			}
			all = append(all, probes.Waiver{
				Check: e.Check, Owner: probes.Clean(e.By, 200), Reason: probes.Clean(e.Note, 1000), Expires: end, Where: e.Where(),
			})
		}
	}
	return all
}

// declaredPlace is where the entries of a profile are kept.
const declaredPlace = "the profile"

// Declared makes an entry of a person's word that stands in a profile.
func Declared(check probes.ID, by, note string, on, until time.Time) Entry {
	return Entry{
		Kind: Attestation, Check: check, Result: Passed, By: by, Note: note, At: on, ValidUntil: until, Place: declaredPlace,
		Key: fmt.Sprintf("%s %s %s", declaredPlace, check, on.Format(keyTime)),
	}
}

// Where says where the entry is kept: "in the evidence record", "on this machine".
func (e Entry) Where() string {
	switch e.Place {
	case "":
		return "in the evidence record"
	case declaredPlace:
		return "in " + declaredPlace
	}
	return "on " + e.Place
}

// Until is the end of the entry for people: the last day if it ends with one.
func (e Entry) Until() string { return probes.Until(e.ValidUntil) }

// Record reads the evidence record.
//
// Read waits, within ctx, until the record was looked for once; where there is none, it has no entries. With an error come the entries that
// are kept elsewhere than in the cluster. Watch calls wake whenever it may have changed, until stop is called.
type Record interface {
	Read(ctx context.Context) (probes.Seen[Entry], error)
	Watch(wake func()) (stop func())
}
