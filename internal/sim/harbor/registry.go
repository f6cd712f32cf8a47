package harbor

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// challenge sends the caller to the token service.
func (c *call) challenge(scope string) {
	text := fmt.Sprintf(`Bearer realm="%s/service/token",service="harbor-registry"`, c.self())
	if scope != "" {
		text += fmt.Sprintf(`,scope=%q`, scope)
	}
	c.w.Header().Set("Www-Authenticate", text)
	c.fail(http.StatusUnauthorized, "UNAUTHORIZED", "unauthorized: unauthorized")
}

// access is what a token allows.
type access struct {
	Type    string   `json:"type"`
	Name    string   `json:"name"`
	Actions []string `json:"actions"`
}

// withToken answers whoever shows a token of the token service: what it says counts, whoever it was given to.
func (c *call) withToken(token string) {
	var claims struct {
		Expires int64    `json:"exp"`
		Access  []access `json:"access"`
	}
	text, signature, found := cutLast(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(signature)
	_, payload, _ := strings.Cut(text, ".")
	body, bodyErr := base64.RawURLEncoding.DecodeString(payload)
	if !found || err != nil || bodyErr != nil || !ed25519.Verify(c.s.key.Public().(ed25519.PublicKey), []byte(text), raw) ||
		json.Unmarshal(body, &claims) != nil || c.s.now().Unix() >= claims.Expires {
		c.challenge("")
		return
	}
	c.withGrants(func(repository, action string) bool {
		return slices.ContainsFunc(claims.Access, func(a access) bool {
			return a.Type == "repository" && a.Name == repository && slices.Contains(a.Actions, action)
		})
	})
}

func cutLast(text, separator string) (before, after string, found bool) {
	i := strings.LastIndex(text, separator)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+len(separator):], true
}

// withGrants answers a request for a repository if that is allowed. Which manifests are there is for Harbor's artifacts to say; what is in
// them comes from the registry behind, and what is pushed goes there.
func (c *call) withGrants(allowed func(repository, action string) bool) {
	repository, kind, reference := repositoryPath(c.r.URL.Path)
	action := "pull"
	if c.r.Method != http.MethodGet && c.r.Method != http.MethodHead {
		action = "push"
	}
	if repository == "" || !allowed(repository, action) {
		c.challenge("repository:" + repository + ":" + action)
		return
	}
	if kind == "manifests" && action == "pull" {
		digest, ok := c.find(repository, reference)
		if !ok {
			c.fail(http.StatusNotFound, "NOT_FOUND", fmt.Sprintf("artifact %s:%s not found", repository, reference))
			return
		}
		c.r.URL.Path = "/v2/" + repository + "/manifests/" + digest
	}
	if c.s.registry == nil {
		c.fail(http.StatusNotFound, "NOT_FOUND", "not found")
		return
	}
	c.r.Body = io.NopCloser(bytes.NewReader(c.body)) // which was read already
	c.s.registry.ServeHTTP(c.w, c.r)
	if digest := c.w.Header().Get("Docker-Content-Digest"); c.r.Method == http.MethodPut && kind == "manifests" && digest != "" {
		c.pushed(repository, reference, digest)
	}
}

// pushed makes an artifact of a manifest that the registry behind took. What is pushed by its digest is a part of an image.
func (c *call) pushed(repository, tag, digest string) {
	if strings.Contains(tag, ":") {
		return
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.st.Push(repository, tag, digest, c.s.now())
}

// repositoryPath takes a path of the registry's protocol apart.
func repositoryPath(path string) (repository, kind, reference string) {
	rest := strings.TrimPrefix(path, "/v2/")
	for _, kind := range []string{"manifests", "blobs", "tags"} {
		if before, after, found := cutLast(rest, "/"+kind+"/"); found {
			return before, kind, after
		}
	}
	return "", "", ""
}

// find returns the digest that a tag or digest of a repository stands for. Parts of images are not listed: the registry behind knows them.
func (c *call) find(repository, reference string) (digest string, ok bool) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	for _, a := range c.st.Artifacts {
		if a.Repository == repository && (strings.Contains(reference, ":") || slices.Contains(a.Tags, reference)) {
			if strings.Contains(reference, ":") {
				return reference, true
			}
			return a.Digest, true
		}
	}
	return "", false
}
