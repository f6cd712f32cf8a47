package harbor

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// RobotParams are the parameters of harbor.robot.
type RobotParams struct {
	Project string `yaml:"project" jsonschema:"description=name of the project that the robot pushes to"`
	Robot   string `yaml:"robot" jsonschema:"description=full name that the robot account logs in with\\, as robot$project+name or robot$name for one of the system"`
	MinDays int    `yaml:"minDays,omitempty" jsonschema:"minimum=0,maximum=3650,description=days for which it must still be valid"`
}

// robotLogin is a prefix, which Harbor's administrator chooses, and the name that the account is stored under.
var robotLogin = regexp.MustCompile(`^[^\s:+]*[^a-z0-9\s:+](?:[a-z0-9]+(?:[._-][a-z0-9]+)*\+)?[a-z0-9]+(?:[._-][a-z0-9]+)*$`)

// Validate reports what no robot account or project can be called.
func (p RobotParams) Validate() error {
	switch {
	case !projectName.MatchString(p.Project):
		return fmt.Errorf("project: %q is not the name of a Harbor project", p.Project)
	case !robotLogin.MatchString(p.Robot):
		return fmt.Errorf("robot: %q is not a full name of a robot account, such as robot$%s+mirror", p.Robot, p.Project)
	case !p.ofSystem() && !strings.HasSuffix(strings.Split(p.Robot, "+")[0], p.Project):
		return fmt.Errorf("robot: %q is an account of another project than %s", p.Robot, p.Project)
	case p.MinDays < 0:
		return errors.New("minDays must not be negative")
	}
	return nil
}

// ofSystem reports whether the account is one of the system: those of a project carry its name before a plus sign.
func (p RobotParams) ofSystem() bool { return !strings.Contains(p.Robot, "+") }

// RobotKind describes harbor.robot.
func RobotKind() probes.KindInfo {
	return probes.KindInfo{
		Name: "harbor.robot",
		About: "Reads a robot account, its expiry and its rights from Harbor's API with gonogo's own credential, and whether the project's quota " +
			"leaves room for what the robot is to push.",
		Connection: Connection,
		Every:      15 * time.Minute,
		Timeout:    20 * time.Second,
		Confirm:    2,
		Params:     func() any { return &RobotParams{MinDays: 14} },
	}
}

// NewRobot returns a probe that passes if the robot account is there, enabled, valid for long enough and may push and pull in the project,
// and the project has room. now is the clock of whoever asks; nil for the machine's.
func NewRobot(projects Projects, quotas Quotas, p RobotParams, now func() time.Time) probes.Probe {
	if now == nil {
		now = time.Now
	}
	return &robotProbe{projects: projects, quotas: quotas, params: p, now: now}
}

type robotProbe struct {
	projects Projects
	quotas   Quotas
	params   RobotParams
	now      func() time.Time
}

// Observe reads the project, the account and the quota. What is known to be wanting is told even if the rest could not be asked.
func (p *robotProbe) Observe(ctx context.Context) (probes.Observation, error) {
	project, err := p.projects.Project(ctx, p.params.Project)
	switch {
	case errors.Is(err, ErrNotFound):
		return fail(nil, probes.Evidence{Subject: "project " + p.params.Project, Want: "exists", Got: "does not exist"}.From(project.Request),
			"the project %s does not exist in Harbor", p.params.Project), nil
	case err != nil:
		return probes.Observation{}, fmt.Errorf("looking at project %s: %w", p.params.Project, err)
	}
	evidence := []probes.Evidence{probes.Evidence{Subject: "project " + p.params.Project, Want: "exists", Got: "exists"}.From(project.Request)}

	of := project.ID
	if p.params.ofSystem() {
		of = 0
	}
	robot, err := p.projects.Robot(ctx, p.params.Robot, of)
	subject := "robot account " + p.params.Robot
	switch {
	case errors.Is(err, ErrNotFound):
		return fail(evidence, probes.Evidence{Subject: subject, Want: "exists", Got: "does not exist"}.From(robot.Request),
			"there is no robot account %s in Harbor", p.params.Robot), nil
	case err != nil:
		return probes.Observation{}, fmt.Errorf("looking at robot account %s: %w", p.params.Robot, err)
	}
	var wrong []string
	note := func(e probes.Evidence, problem string) {
		e.Wanting = problem != ""
		if evidence = append(evidence, e); problem != "" {
			wrong = append(wrong, problem)
		}
	}
	enabled := probes.Evidence{Subject: subject, Want: "enabled", Got: "enabled"}
	if robot.Disabled {
		enabled.Got = "disabled"
		note(enabled.From(robot.Request), "is disabled")
	} else {
		note(enabled.From(robot.Request), "")
	}
	lasts, problem := p.lasts(robot)
	note(probes.Evidence{Subject: subject + ": expiry", Want: fmt.Sprintf("more than %d days from now, or never", p.params.MinDays), Got: lasts}.From(robot.Request), problem)
	has := grants(robot.Rights, p.params.Project)
	if problem = ""; len(has) < 2 {
		problem = fmt.Sprintf("may not push to and pull from %s: it may %s", p.params.Project, may(has))
	}
	note(probes.Evidence{Subject: subject + ": rights in " + p.params.Project, Want: "pull, push", Got: orNothing(strings.Join(has, ", "))}.From(robot.Request), problem)

	room, full, err := p.room(ctx, project.ID)
	switch {
	case err != nil && len(wrong) == 0:
		return probes.Observation{}, fmt.Errorf("reading the quota of project %s: %w", p.params.Project, err)
	case err == nil:
		evidence = append(evidence, room)
	}
	var parts []string
	if len(wrong) > 0 {
		parts = append(parts, p.params.Robot+" "+strings.Join(wrong, ", "))
	}
	if full {
		parts = append(parts, fmt.Sprintf("the quota of project %s is used up: %s", p.params.Project, room.Got))
	}
	if len(parts) > 0 {
		return probes.Observation{Status: probes.Fail, Summary: strings.Join(parts, "; "), Evidence: evidence}, nil
	}
	return probes.Observation{
		Status: probes.Pass, Summary: fmt.Sprintf("%s may push to %s, %s; %s", p.params.Robot, p.params.Project, lasts, room.Got), Evidence: evidence,
	}, nil
}

// lasts says until when the account is valid, and what is wrong with that.
func (p *robotProbe) lasts(r Robot) (lasts, problem string) {
	const day = 24 * time.Hour
	left := r.Expires.Sub(p.now())
	switch date := r.Expires.UTC().Format(time.DateOnly); {
	case r.NeverExpires:
		return "never expires", ""
	case r.Expires.Unix() == 0:
		return "has no time of expiry (0)", "has no time of expiry (expires_at is 0), which Harbor takes for expired"
	case left <= 0:
		return "expired on " + date, "expired on " + date
	case left < time.Duration(p.params.MinDays)*day:
		text := fmt.Sprintf("expires on %s, in %d days", date, left/day)
		return text, text
	default:
		return fmt.Sprintf("expires on %s, in %d days", date, left/day), ""
	}
}

// grants lists which of pull and push a robot's rights give in a project.
func grants(rights []Right, project string) []string {
	var has []string
	for _, action := range []string{"pull", "push"} {
		if slices.ContainsFunc(rights, func(r Right) bool {
			resource, verb, _ := strings.Cut(r.Action, ":")
			return (r.Project == project || r.Project == "*") && resource == "repository" && (verb == action || verb == "*")
		}) {
			has = append(has, action)
		}
	}
	return has
}

// room reports what the project's quota leaves, and whether that is nothing.
func (p *robotProbe) room(ctx context.Context, projectID int64) (e probes.Evidence, full bool, err error) {
	q, err := p.quotas.Quota(ctx, projectID)
	if err != nil {
		return probes.Evidence{}, false, err
	}
	e = probes.Evidence{Subject: "quota of project " + p.params.Project, Want: "room left"}.From(q.Request)
	switch {
	case q.Hard < 0:
		e.Got = fmt.Sprintf("no limit, %s used", size(q.Used))
	case q.Used >= q.Hard:
		e.Got, e.Wanting = fmt.Sprintf("%s of %s used, no room left", size(q.Used), size(q.Hard)), true
	default:
		e.Got = fmt.Sprintf("%s of %s left", size(q.Hard-q.Used), size(q.Hard))
	}
	return e, e.Wanting, nil
}

// size writes a number of bytes as Harbor's own pages do.
func size(bytes int64) string {
	value, unit := float64(bytes), "B"
	for _, next := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if value < 1024 {
			break
		}
		value, unit = value/1024, next
	}
	text := strings.TrimSuffix(fmt.Sprintf("%.1f", value), ".0")
	return text + " " + unit
}
