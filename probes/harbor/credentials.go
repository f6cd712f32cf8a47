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

// CredentialsParams are the parameters of harbor.credentials.
type CredentialsParams struct {
	Project    string            `yaml:"project" jsonschema:"description=name of the project that the platform pushes to"`
	Credential probes.Credential `yaml:"credential" jsonschema:"description=the platform's own registry credential, which the check is about"`
}

// projectName is what Harbor takes for the name of a project.
var projectName = regexp.MustCompile(`^[a-z0-9]+(?:[._-][a-z0-9]+)*$`)

// Connections implements [probes.Connecting]: a credential that is kept in the cluster is read there.
func (p *CredentialsParams) Connections() []string {
	all := []string{Connection}
	if p.Credential.Username.Secret != "" || p.Credential.Password.Secret != "" {
		all = append(all, "kubernetes")
	}
	return all
}

// Validate reports a missing project or credential.
func (p CredentialsParams) Validate() error {
	if !projectName.MatchString(p.Project) {
		return fmt.Errorf("project: %q is not the name of a Harbor project", p.Project)
	}
	if err := p.Credential.Username.Validate(); err != nil {
		return fmt.Errorf("credential: username: %w", err)
	}
	if err := p.Credential.Password.Validate(); err != nil {
		return fmt.Errorf("credential: password: %w", err)
	}
	return nil
}

// CredentialsKind describes harbor.credentials.
func CredentialsKind() probes.KindInfo {
	return probes.KindInfo{
		Name:       "harbor.credentials",
		About:      "Logs in to Harbor with the platform's own credential and asks for a token that may push to the project; nothing is uploaded.",
		Connection: Connection,
		Every:      15 * time.Minute,
		Timeout:    20 * time.Second, // a refusal takes Harbor 1.5 s, and one of an earlier password 2 s more
		Confirm:    1,                // a refused credential is not tried twice
		Params:     func() any { return &CredentialsParams{} },
	}
}

// NewCredentials returns a probe that passes if the platform's credential logs in to Harbor and may push to the project.
func NewCredentials(logins Logins, projects Projects, secrets Secrets, p CredentialsParams) probes.Probe {
	return &credentialsProbe{logins: logins, projects: projects, secrets: secrets, params: p}
}

type credentialsProbe struct {
	logins   Logins
	projects Projects
	secrets  Secrets
	params   CredentialsParams
}

// Observe proves the credential step by step; each step can only answer once the one before it has.
func (p *credentialsProbe) Observe(ctx context.Context) (probes.Observation, error) {
	username, password, missing, err := p.resolve(ctx)
	if err != nil || missing != nil {
		return deref(missing), err
	}
	login, err := p.logins.Login(ctx, username, password, p.params.Project)
	if err != nil {
		return probes.Observation{}, fmt.Errorf("logging in as %s: %w", username, err)
	}
	if !login.Accepted {
		return p.refused(ctx, username, login), nil
	}
	evidence := []probes.Evidence{probes.Evidence{
		Subject: "login as " + username, Want: "200 or 404", Got: "accepted", TakenAt: login.At,
	}.From(login.Request)}

	project, err := p.projects.Project(ctx, p.params.Project)
	switch {
	case errors.Is(err, ErrNotFound) || err == nil && !login.ProjectExists || err != nil && !login.ProjectExists:
		// Logged in, the platform's credential itself is told whether the project is there, whatever gonogo's own may see.
		request := project.Request
		if request == (probes.Request{}) {
			request = login.Request
		}
		return fail(evidence, probes.Evidence{Subject: "project " + p.params.Project, Want: "exists", Got: "does not exist"}.From(request),
			"%s logs in, but the project %s does not exist", username, p.params.Project), nil
	case err != nil:
		return probes.Observation{}, fmt.Errorf("looking at project %s: %w", p.params.Project, err)
	case project.ProxyCache:
		return fail(evidence, probes.Evidence{Subject: "project " + p.params.Project, Want: "takes pushes", Got: "caches another registry"}.From(project.Request),
			"the project %s caches another registry, so nobody can push to it", p.params.Project), nil
	}
	evidence = append(evidence, probes.Evidence{Subject: "project " + p.params.Project, Want: "exists", Got: "exists"}.From(project.Request))

	grants, err := p.logins.Grants(ctx, username, password, p.params.Project+"/gonogo-probe")
	if err != nil {
		return probes.Observation{}, fmt.Errorf("asking what %s may do in %s: %w", username, p.params.Project, err)
	}
	rights := probes.Evidence{
		Subject: "rights of " + username + " in " + p.params.Project, Want: "pull, push", Got: orNothing(strings.Join(grants.Actions, ", ")),
	}.From(grants.Request)
	if !slices.Contains(grants.Actions, "push") && !slices.Contains(grants.Actions, "*") {
		return fail(evidence, rights, "%s logs in but may not push to %s: it may %s", username, p.params.Project, may(grants.Actions)), nil
	}
	return probes.Observation{
		Status: probes.Pass, Summary: fmt.Sprintf("%s logs in and may push to %s", username, p.params.Project), Evidence: append(evidence, rights),
	}, nil
}

// resolve looks the credential up. That there is none is an answer.
func (p *credentialsProbe) resolve(ctx context.Context) (username, password string, missing *probes.Observation, err error) {
	values := [2]string{}
	for i, ref := range []probes.SecretRef{p.params.Credential.Username, p.params.Credential.Password} {
		word, find := "user name", p.secrets.Name
		if i == 1 {
			word, find = "password", p.secrets.Resolve
		}
		values[i], err = find(ctx, ref)
		switch {
		case !ref.OfPlatform() && (errors.Is(err, probes.ErrNoSecret) || err == nil && strings.TrimSpace(values[i]) == ""):
			return "", "", nil, fmt.Errorf("gonogo was not given the %s of the platform's credential: %s is not set", word, ref)
		case errors.Is(err, probes.ErrNoSecret) || err == nil && strings.TrimSpace(values[i]) == "":
			obs := fail(nil, probes.Evidence{Subject: word + " of the platform's credential", Want: "set", Got: "not set"}.From(ref.Request()),
				"no credential: %s is not set", ref)
			return "", "", &obs, nil
		case err != nil:
			return "", "", nil, fmt.Errorf("reading the %s of the platform's credential from %s: %w", word, ref, err)
		}
		values[i] = strings.TrimRight(values[i], "\r\n") // as files and commands end
	}
	return values[0], values[1], nil, nil
}

// refused explains a refusal as far as gonogo's own credential can see; that it cannot is no reason not to tell of the refusal.
func (p *credentialsProbe) refused(ctx context.Context, username string, login Login) probes.Observation {
	got := "401, as to anonymous"
	if login.Remembered {
		got += "; not tried again before " + login.Until.UTC().Format("15:04:05 MST") + " unless it changes"
	}
	evidence := probes.Evidence{Subject: "login as " + username, Want: "200 or 404", Got: got, TakenAt: login.At}.From(login.Request)
	why := "wrong password, or an account that is disabled, expired or gone"
	var more []probes.Evidence
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second) // the refusal is known; the reason is an extra
	defer cancel()
	if robot, subject, err := p.robot(ctx, username); err == nil {
		switch {
		case robot.Disabled:
			why = "the robot account is disabled"
		case !robot.NeverExpires && robot.Expires.Before(login.At):
			why = "the robot account expired on " + robot.Expires.UTC().Format(time.DateOnly)
		default:
			why = "the robot account exists and is enabled, so the password is wrong"
		}
		more = append(more, probes.Evidence{Subject: subject, Want: "enabled", Got: why, Wanting: robot.Disabled}.From(robot.Request))
	} else if errors.Is(err, ErrNotFound) {
		why = "there is no robot account of that name"
		more = append(more, probes.Evidence{Subject: subject, Want: "exists", Got: why, Wanting: true}.From(robot.Request))
	}
	obs := fail(nil, evidence, "Harbor does not accept %s: it answers as to anonymous: %s", username, why)
	obs.Evidence = append(obs.Evidence, more...)
	return obs
}

// robot looks a robot account up by its login, if the user name is one.
func (p *credentialsProbe) robot(ctx context.Context, username string) (r Robot, subject string, err error) {
	_, name, isRobot := strings.Cut(username, "$")
	if !isRobot {
		return Robot{}, "", errors.New("not a robot account")
	}
	var project Project
	if owner, _, ofProject := strings.Cut(name, "+"); ofProject {
		if project, err = p.projects.Project(ctx, owner); err != nil {
			return Robot{}, "", fmt.Errorf("looking at its project: %v", err) // a missing project says nothing of the robot
		}
	}
	r, err = p.projects.Robot(ctx, username, project.ID)
	return r, "robot account " + username, err
}

func fail(before []probes.Evidence, wanting probes.Evidence, format string, args ...any) probes.Observation {
	wanting.Wanting = true
	return probes.Observation{Status: probes.Fail, Summary: fmt.Sprintf(format, args...), Evidence: append(before, wanting)}
}

func may(actions []string) string {
	if len(actions) == 0 {
		return "do nothing there"
	}
	return "only " + strings.Join(actions, " and ")
}

func deref(o *probes.Observation) probes.Observation {
	if o == nil {
		return probes.Observation{}
	}
	return *o
}
