package mirror

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/probes/harbor"
)

// manager is the name under which the API server knows what gonogo applied.
const manager = "gonogo"

// expiresSoon is how long a robot account must last at least to be left as it is.
const expiresSoon = 14 * 24 * time.Hour

// standing is how it stands with the credential that images are pushed with.
type standing struct {
	works   bool
	why     string // it does not
	exists  bool   // the robot account does
	replace bool   // and is of no use
}

// standing looks at the Secret, the login and the account.
func (a action) standing(ctx context.Context) (standing, error) {
	s := standing{}
	username, password, why, err := a.kept(ctx)
	if err != nil {
		return s, err
	}
	robot, err := a.account(ctx)
	switch {
	case errors.Is(err, harbor.ErrNotFound):
		s.why = fmt.Sprintf("there is no robot account %s", a.login())
		return s, nil
	case err != nil:
		return s, fmt.Errorf("looking at the robot account %s: %w", a.login(), err)
	}
	s.exists = true
	allowed := func(action string) bool {
		return slices.ContainsFunc(robot.Rights, func(r harbor.Right) bool {
			return r.Action == action && (r.Project == a.Project || r.Project == "*")
		})
	}
	switch {
	case robot.Disabled:
		s.why, s.replace = "it is disabled", true
	case !robot.NeverExpires && robot.Expires.Before(a.Now().Add(expiresSoon)):
		s.why, s.replace = "it expires on "+robot.Expires.UTC().Format(time.DateOnly), true
	case !allowed("repository:push") || !allowed("repository:pull"):
		s.why, s.replace = "it may not push and pull", true
	case why != "":
		s.why = why
	default:
		s.why, err = a.refused(ctx, username, password)
	}
	s.works = err == nil && s.why == ""
	return s, err
}

// account looks the robot account up.
func (a action) account(ctx context.Context) (harbor.Robot, error) {
	project, err := a.Projects.Project(ctx, a.Project)
	if err != nil {
		return harbor.Robot{}, err
	}
	return a.Projects.Robot(ctx, a.login(), project.ID)
}

// kept reads the credential from its Secret; why says that there is none.
func (a action) kept(ctx context.Context) (username, password, why string, err error) {
	username, password, why, err = a.readKept(ctx)
	if err != nil || why != "" {
		return "", "", why, err
	}
	if password != "" {
		a.Hide(password)
	}
	if username == "" || password == "" {
		return "", "", "the " + a.where() + " has no username and password", nil
	}
	return username, password, "", nil
}

// refused says why a credential is of no use, or nothing.
func (a action) refused(ctx context.Context, username, password string) (string, error) {
	login, err := a.Logins.Login(ctx, username, password, a.Project)
	if err != nil {
		return "", fmt.Errorf("trying the credential of the %s: %w", a.where(), err)
	}
	if !login.Accepted {
		return "Harbor does not accept the credential of the " + a.where(), nil
	}
	grants, err := a.Logins.Grants(ctx, username, password, a.Project+"/gonogo")
	if err != nil {
		return "", fmt.Errorf("asking what the credential of the %s may do: %w", a.where(), err)
	}
	if !slices.Contains(grants.Actions, "push") || !slices.Contains(grants.Actions, "pull") {
		return "the credential of the " + a.where() + " may not push and pull in " + a.Project, nil
	}
	return "", nil
}

// ensureProject creates the project.
func (d *doer) ensureProject(ctx context.Context, r actions.Reporter) error {
	err := d.Admin.CreateProject(ctx, d.Project, d.Quota)
	if err != nil {
		return fmt.Errorf("creating the project %s: %w", d.Project, err)
	}
	r.Log("the project " + d.Project + " is there")
	return nil
}

// ensureRobot makes the account, or gives it a new secret, and keeps that in the cluster. A crash in between loses the secret: the account is
// there then, and gets another one.
func (d *doer) ensureRobot(ctx context.Context, r actions.Reporter) error {
	state, err := d.standing(ctx)
	if err != nil || state.works {
		return err
	}
	id, _, err := d.Admin.FindRobot(ctx, d.Project, d.login())
	if err != nil && !errors.Is(err, harbor.ErrNotFound) {
		return fmt.Errorf("looking for the robot account %s: %w", d.login(), err)
	}
	if id != 0 && state.replace {
		if err := d.Admin.DeleteRobot(ctx, id); err != nil {
			return fmt.Errorf("removing the robot account %s: %w", d.login(), err)
		}
		r.Log("the old robot account " + d.login() + " is removed: " + state.why)
		id = 0
	}
	var secret string
	if id == 0 {
		_, made, taken, err := d.Admin.CreateRobot(ctx, d.Project, d.Robot, d.Days)
		if err != nil {
			return fmt.Errorf("creating the robot account %s: %w", d.login(), err)
		}
		if taken { // somebody was faster
			if id, _, err = d.Admin.FindRobot(ctx, d.Project, d.login()); err != nil {
				return fmt.Errorf("looking for the robot account %s: %w", d.login(), err)
			}
		}
		secret = made
	}
	if id != 0 {
		if secret, err = d.Admin.RefreshRobot(ctx, id); err != nil {
			return fmt.Errorf("giving the robot account %s a new secret: %w", d.login(), err)
		}
	}
	d.Hide(secret)
	if err := d.keep(ctx, d.login(), secret); err != nil {
		return fmt.Errorf("keeping the credential of %s in the %s: %w", d.login(), d.where(), err)
	}
	r.Log("the robot account " + d.login() + " is there, its secret is in the " + d.where())
	return nil
}

// secret is a Secret as it is applied.
func (a action) secret(namespace, name, kind string, data map[string]string) *unstructured.Unstructured {
	encoded := map[string]any{}
	for key, value := range data {
		encoded[key] = base64.StdEncoding.EncodeToString([]byte(value))
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret", "type": kind,
		"metadata": map[string]any{"namespace": namespace, "name": name, "labels": map[string]any{"app.kubernetes.io/managed-by": "gonogo"}},
		"data":     encoded,
	}}
}

// dockerConfig is the content of a pull secret, with the logins at other registries that it had.
func (a action) dockerConfig(before *unstructured.Unstructured, username, password string) (string, error) {
	config := map[string]any{}
	if before != nil {
		text, _, _ := unstructured.NestedString(before.Object, "data", ".dockerconfigjson")
		raw, _ := base64.StdEncoding.DecodeString(text)
		if json.Unmarshal(raw, &config) != nil { // what is none holds no logins
			config = map[string]any{}
		}
	}
	auths, _ := config["auths"].(map[string]any)
	if auths == nil {
		auths = map[string]any{}
	}
	auths[a.Params.Pull] = map[string]string{
		"username": username, "password": password, "auth": base64.StdEncoding.EncodeToString([]byte(username + ":" + password)),
	}
	config["auths"] = auths
	text, err := json.Marshal(config)
	if err != nil {
		return "", err
	}
	a.Hide(string(text))
	return string(text), nil
}

// pullable reports whether a namespace has the pull secret with the credential of now.
func (a action) pullable(ctx context.Context, namespace string) (bool, error) {
	o, err := a.Cluster.Get(ctx, secrets, namespace, a.PullSecret)
	if err != nil || o == nil {
		return false, err
	}
	username, password, why, err := a.kept(ctx)
	if err != nil || why != "" {
		return false, err
	}
	text, _, _ := unstructured.NestedString(o.Object, "data", ".dockerconfigjson")
	raw, _ := base64.StdEncoding.DecodeString(text)
	var config struct {
		Auths map[string]struct{ Username, Password, Auth string } `json:"auths"`
	}
	if json.Unmarshal(raw, &config) != nil {
		return false, nil
	}
	auth := config.Auths[a.Params.Pull]
	return auth.Username == username && auth.Password == password ||
		auth.Auth == base64.StdEncoding.EncodeToString([]byte(username+":"+password)), nil
}

// ensurePullSecret writes the pull secret of a namespace.
func (d *doer) ensurePullSecret(ctx context.Context, namespace string) error {
	username, password, why, err := d.kept(ctx)
	if err != nil {
		return err
	}
	if why != "" {
		return errors.New(why)
	}
	before, err := d.Cluster.Get(ctx, secrets, namespace, d.PullSecret)
	if err != nil {
		return err
	}
	text, err := d.dockerConfig(before, username, password)
	if err != nil {
		return err
	}
	_, err = d.Cluster.Apply(ctx, secrets, d.secret(namespace, d.PullSecret, "kubernetes.io/dockerconfigjson", map[string]string{".dockerconfigjson": text}), manager)
	if err != nil {
		return fmt.Errorf("writing the pull secret %s in %s: %w", d.PullSecret, namespace, err)
	}
	return nil
}
