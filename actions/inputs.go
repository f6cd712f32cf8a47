package actions

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

func settle(s Spec, in Inputs) (Inputs, error) {
	out := Inputs{}
	known := make([]string, 0, len(s.Inputs))
	for _, i := range s.Inputs {
		known = append(known, i.Name)
		value, given := in[i.Name]
		if !given {
			value = i.Default
		}
		if len(i.Options) > 0 && !slices.Contains(i.Options, value) {
			return nil, fmt.Errorf("%s=%q: %s takes %s", i.Name, value, i.Name, strings.Join(i.Options, ", "))
		}
		out[i.Name] = value
	}
	for _, name := range slices.Sorted(maps.Keys(in)) {
		if slices.Contains(known, name) {
			continue
		}
		if len(known) == 0 {
			return nil, fmt.Errorf("%s: the action %s takes no inputs", name, s.ID)
		}
		return nil, fmt.Errorf("%s: the action %s has no such input; it has %s", name, s.ID, strings.Join(known, ", "))
	}
	return out, nil
}

// Switch reports whether the input is one of the words that mean yes.
func (in Inputs) Switch(name string) bool { return in[name] == "true" }
