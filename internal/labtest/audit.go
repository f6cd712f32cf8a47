package labtest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// AuditEvent is one request that reached the API server.
type AuditEvent struct {
	ID        string
	At        time.Time // when it arrived
	User      string
	UserAgent string
	// Verb is Kubernetes' word (get, list, watch, create, …); for paths that are no
	// resource, HTTP's method in lower case.
	Verb string
	URI  string
	// The resource; empty for paths that are none.
	Group, Resource, Subresource, Namespace, Name string
	// Code is the HTTP status, 0 while the request is under way.
	Code int
}

// Changes tells whether the request could have changed something: every verb that
// writes, and every stream into a pod, whatever its verb, since commands go through
// those. Asking about one's own rights, which is a create, is not a change. A
// refused request counts like any other.
func (e AuditEvent) Changes() bool {
	if e.Group == "authorization.k8s.io" && (e.Resource == "selfsubjectaccessreviews" || e.Resource == "selfsubjectrulesreviews") ||
		e.Group == "authentication.k8s.io" && e.Resource == "selfsubjectreviews" {
		return false
	}
	if e.Resource == "pods" && slices.Contains([]string{"exec", "attach", "portforward"}, e.Subresource) {
		return true
	}
	return !slices.Contains([]string{"get", "list", "watch", "head", "options"}, e.Verb)
}

// String is the request on one line.
func (e AuditEvent) String() string {
	return fmt.Sprintf("%s %s %s -> %d", e.User, e.Verb, e.URI, e.Code)
}

// Audit returns the requests of the given users, or of everyone when none is given,
// in the order in which they arrived. A service account's name is
// system:serviceaccount:NAMESPACE:NAME. A request is in it from before the API server
// acts on it: what is missing did not happen.
func (l *Lab) Audit(users ...string) ([]AuditEvent, error) {
	file, err := os.Open(l.auditFile())
	if err != nil {
		return nil, fmt.Errorf("opening the audit log: %w", err)
	}
	defer file.Close()
	return readAudit(file, users)
}

// auditFile is the path of the audit log.
func (l *Lab) auditFile() string { return filepath.Join(l.dir, "audit.log") }

// auditLine is what the API server writes, once per stage of a request.
type auditLine struct {
	AuditID    string `json:"auditID"`
	Verb       string `json:"verb"`
	RequestURI string `json:"requestURI"`
	UserAgent  string `json:"userAgent"`
	User       struct {
		Username string `json:"username"`
	} `json:"user"`
	ObjectRef struct {
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
		APIGroup    string `json:"apiGroup"`
	} `json:"objectRef"`
	ResponseStatus struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
	Received time.Time `json:"requestReceivedTimestamp"`
}

// readAudit joins the stages of each request. A last line without its end is still
// being written and is left for the next call.
func readAudit(from io.Reader, users []string) ([]AuditEvent, error) {
	var events []AuditEvent
	at := make(map[string]int)
	lines := bufio.NewReaderSize(from, 1<<16)
	for n := 1; ; n++ {
		text, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return events, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading the audit log: %w", err)
		}
		var line auditLine
		if err := json.Unmarshal(text, &line); err != nil {
			return nil, fmt.Errorf("reading line %d of the audit log: %w", n, err)
		}
		if len(users) > 0 && !slices.Contains(users, line.User.Username) {
			continue
		}
		i, known := at[line.AuditID]
		if !known {
			i = len(events)
			at[line.AuditID] = i
			events = append(events, line.event())
		}
		events[i].Code = line.ResponseStatus.Code
	}
}

// event is the request of a line.
func (a auditLine) event() AuditEvent {
	return AuditEvent{
		ID: a.AuditID, At: a.Received, User: a.User.Username, UserAgent: a.UserAgent,
		Verb: a.Verb, URI: a.RequestURI,
		Group: a.ObjectRef.APIGroup, Resource: a.ObjectRef.Resource, Subresource: a.ObjectRef.Subresource,
		Namespace: a.ObjectRef.Namespace, Name: a.ObjectRef.Name,
	}
}
