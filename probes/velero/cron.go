package velero

import (
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Declared is a schedule as the profile declares it.
type Declared struct {
	Name string `yaml:"name" jsonschema:"description=name of the Schedule"`
	Cron string `yaml:"cron" jsonschema:"description=its cron expression as Velero reads it with an optional CRON_TZ prefix"`
}

func validateDeclared(all []Declared) error {
	if len(all) == 0 {
		return fmt.Errorf("schedules must name at least one schedule")
	}
	seen := map[string]bool{}
	for _, d := range all {
		switch {
		case d.Name == "":
			return fmt.Errorf("a schedule has no name")
		case seen[d.Name]:
			return fmt.Errorf("schedule %s is declared twice", d.Name)
		}
		seen[d.Name] = true
		if _, err := parseCron(d.Cron); err != nil {
			return fmt.Errorf("schedule %s: %w", d.Name, err)
		}
	}
	return nil
}

func validateTiming(grace, running time.Duration, timezone string) error {
	switch {
	case grace < 0:
		return fmt.Errorf("grace must not be negative, it is %s", grace)
	case running <= 0:
		return fmt.Errorf("running must be positive, it is %s", running)
	}
	_, err := zone(timezone)
	return err
}

// zone is where an expression without a prefix of its own is read: in the time of the server's container, which is UTC unless told otherwise.
func zone(name string) (*time.Location, error) {
	loc, err := time.LoadLocation(name) // empty is UTC
	if err != nil {
		return nil, fmt.Errorf("reading timezone %q: %w", name, err)
	}
	return loc, nil
}

// parseCron reads an expression as Velero does.
func parseCron(expr string) (s cron.Schedule, err error) {
	if strings.TrimSpace(expr) == "" {
		return nil, fmt.Errorf("the cron expression is empty")
	}
	// The parser indexes past the end of a zone that nothing follows.
	if zoned := strings.HasPrefix(expr, "TZ=") || strings.HasPrefix(expr, "CRON_TZ="); zoned && !strings.Contains(expr, " ") {
		return nil, fmt.Errorf("reading cron expression %q: nothing follows the zone", expr)
	}
	s, err = cron.ParseStandard(expr)
	if err != nil {
		return nil, fmt.Errorf("reading cron expression %q: %w", expr, err)
	}
	return s, nil
}

// sameCron reports whether two expressions are written alike, blanks apart.
func sameCron(a, b string) bool {
	return strings.Join(strings.Fields(a), " ") == strings.Join(strings.Fields(b), " ")
}

// nextRun is when a schedule is due after a time, as Velero computes it. It is zero for one that never is, such as 30 February.
func nextRun(s cron.Schedule, after time.Time, in *time.Location) time.Time {
	return s.Next(after.In(in))
}
