package harbor

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	rtclient "github.com/go-openapi/runtime/client"
	"github.com/go-openapi/strfmt"
	"github.com/goharbor/go-client/pkg/sdk/v2.0/client/project"

	"github.com/254carbon/gonogo/probes"
	probe "github.com/254carbon/gonogo/probes/harbor"
)

// Login proves a credential: this call answers 200 or 404 to whoever is logged in, person or robot, and 401 to whoever is not.
func (c *Client) Login(ctx context.Context, username, password, projectName string) (probe.Login, error) {
	login := probe.Login{Request: c.request(http.MethodHead, "/api/v2.0/projects?project_name="+url.QueryEscape(projectName), platformVariable)}
	if strings.ContainsAny(username, ":\r\n\x00") || username == "" {
		return login, errors.New("the user name is empty or holds a character that no login can carry")
	}
	at, err := c.logins.try(ctx, username, password, c.now, func() error {
		params := project.NewHeadProjectParams().WithTimeout(0).WithProjectName(projectName)
		_, err := project.New(c.api, strfmt.Default, rtclient.BasicAuth(username, password)).HeadProject(ctx, params)
		return err
	})
	login.At = at
	err = plain(err)
	var before *refusedBefore
	var status *StatusError
	switch {
	case err == nil:
		login.Accepted, login.ProjectExists = true, true
	case errors.As(err, &before):
		login.Remembered, login.Until = true, before.until
	case errors.As(err, &status) && status.Code == http.StatusNotFound:
		login.Accepted = true
	case errors.As(err, &status) && status.Code == http.StatusUnauthorized:
		login.Until = at.Add(retryRefused)
	default:
		return login, err
	}
	return login, nil
}

// Grants asks Harbor's token service for a push token to a repository and reads what the token allows.
func (c *Client) Grants(ctx context.Context, username, password, repository string) (probe.Grants, error) {
	query := url.Values{"service": {"harbor-registry"}, "scope": {"repository:" + repository + ":pull,push"}}
	grants := probe.Grants{Request: c.request(http.MethodGet, "/service/token?"+query.Encode(), platformVariable)}
	_, err := c.logins.try(ctx, username, password, c.now, func() error {
		body, err := c.get(ctx, "/service/token?"+query.Encode(), username, password)
		if err != nil {
			return err
		}
		var answer struct {
			Token       string
			AccessToken string `json:"access_token"`
		}
		if err := json.Unmarshal(body, &answer); err != nil {
			return errors.New("the answer of the token service is not the JSON it should be")
		}
		if answer.Token == "" {
			answer.Token = answer.AccessToken
		}
		grants.Actions, err = allowed(answer.Token, repository)
		return err
	})
	return grants, plain(err)
}

// get asks for what the API's specification lacks.
func (c *Client) get(ctx context.Context, path, username, password string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.String()+path, nil)
	if err != nil {
		return nil, fmt.Errorf("building the request for %s: %w", path, err)
	}
	if username != "" {
		req.SetBasicAuth(username, password)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, plain(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read whole already
	return io.ReadAll(resp.Body)
}

// Door knocks at /v2/ without a credential.
func (c *Client) Door(ctx context.Context) (probe.Door, error) {
	req, err := http.NewRequestWithContext(context.WithValue(ctx, anyStatus{}, true), http.MethodGet, c.base.String()+"/v2/", nil)
	if err != nil {
		return probe.Door{}, fmt.Errorf("building the request for /v2/: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return probe.Door{}, plain(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read whole already
	request := c.request(http.MethodGet, "/v2/", "")
	request.Repeat = strings.Replace(request.Repeat, "curl -sS", "curl -sS -i", 1)
	return probe.Door{
		Status: resp.StatusCode, Challenges: challenges(resp.Header.Values("Www-Authenticate")), Location: probes.Clean(resp.Header.Get("Location"), 200),
		ContentType: probes.Clean(resp.Header.Get("Content-Type"), 60),
		Registry:    resp.Header.Get("Docker-Distribution-Api-Version") != "", Request: request,
	}, nil
}

// allowed reads which actions a registry token allows on a repository. The signature is the registry's to check: the token came over
// the verified connection that is asked about.
func allowed(token, repository string) ([]string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errors.New("the token service's answer holds no token that can be read")
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return nil, errors.New("the token's claims are not base64")
	}
	var claims struct {
		Access []struct {
			Type, Name string
			Actions    []string
		}
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return nil, errors.New("the token's claims are not the JSON they should be")
	}
	seen := map[string]bool{}
	var actions []string
	for _, a := range claims.Access {
		if a.Type != "repository" || a.Name != repository {
			continue
		}
		for _, action := range a.Actions {
			if action = probes.Clean(action, 40); action != "" && !seen[action] && len(actions) < 16 {
				seen[action] = true
				actions = append(actions, action)
			}
		}
	}
	return actions, nil
}
