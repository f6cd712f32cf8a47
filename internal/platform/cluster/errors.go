package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/254carbon/gonogo/probes"
)

// Reasons of this package's own for the end of an exchange. They are no timeouts in the sense of net.Error: client-go takes those of a
// watch for its ordinary end.
var (
	errIdle    = errors.New("the watch said nothing for too long, not even that nothing happened")
	errStalled = errors.New("the initial objects stopped coming")
	errClosed  = errors.New("the connection to the cluster is closed")
	errCut     = errors.New("the API server ended the connection")
)

// silentError says that a server took a request and did not begin to answer.
type silentError struct {
	server string
	after  time.Duration
}

func (e silentError) Error() string {
	return fmt.Sprintf("no answer from %s within %s", e.server, e.after.Round(100*time.Millisecond))
}

// connectionError is an error of the transport that client-go did not tell.
type connectionError struct {
	server string
	err    error
}

func (e connectionError) Error() string { return "no connection to " + e.server + ": " + e.err.Error() }
func (e connectionError) Unwrap() error { return e.err }

// readError is an error of reading the cluster in the words of whoever has to mend it.
type readError struct {
	doing  string // "listing nodes"
	reason string
	causes []error
}

func (e *readError) Error() string {
	if e.doing == "" {
		return e.reason
	}
	return e.doing + ": " + e.reason
}
func (e *readError) Unwrap() []error { return e.causes }

// untold leaves what was being done to the caller, who says it in words of his own.
func untold(err error) error {
	if told, ok := err.(*readError); ok { //nolint:errorlint // only the outermost is told twice
		return &readError{reason: told.reason, causes: told.causes}
	}
	return err
}

// readFailure tells an error of client-go with what was being done.
func readFailure(doing string, err error) error {
	if err == nil {
		return nil
	}
	var known *readError
	if errors.As(err, &known) {
		return err
	}
	return &readError{doing: doing, reason: reason(err), causes: []error{err}}
}

// reason puts an error of client-go into a sentence.
func reason(err error) string {
	const most = 500
	var status apierrors.APIStatus
	var address *url.Error
	var large *tooLargeError
	switch {
	case errors.As(err, &large):
		return large.Error()
	case apierrors.IsUnauthorized(err):
		return "the API server refuses the credential (401 Unauthorized): it has expired, was revoked or never was one; log in again"
	case apierrors.IsForbidden(err):
		return "a right is missing: " + probes.Clean(strings.TrimSpace(err.Error()), most)
	case hasStatusCause(err, "ClientWatchDecoding") && errors.As(err, &status):
		return "the answer is not what a Kubernetes API server says: " + probes.Clean(status.Status().Message, most)
	case errors.As(err, &status) && status.Status().Reason == metav1.StatusReasonNotFound:
		return "the cluster does not serve this: " + probes.Clean(err.Error(), most)
	case errors.As(err, &address):
		where := address.URL
		if u, parseErr := url.Parse(address.URL); parseErr == nil {
			where = u.Scheme + "://" + u.Host
		}
		return "no connection to " + where + ": " + probes.Clean(address.Err.Error(), most)
	}
	return probes.Clean(err.Error(), most)
}

func hasCause(s metav1.Status, cause metav1.CauseType) bool {
	if s.Details == nil {
		return false
	}
	for _, c := range s.Details.Causes {
		if c.Type == cause {
			return true
		}
	}
	return false
}

// unanswered is the error of a caller whose time ran out before a collection was seen as a whole.
func unanswered(ctx context.Context, doing, reason string, last error) error {
	causes := []error{ctx.Err()}
	if last != nil {
		causes = append(causes, last)
	}
	return &readError{doing: doing, reason: reason, causes: causes}
}

// refused reports whether asking again at once is no use: the answer will change when somebody changes the cluster or the rights.
func refused(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsNotFound(err)
}

// watchless reports whether an API, or the rights on it, do without watches.
func watchless(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsMethodNotSupported(err) || apierrors.IsNotAcceptable(err)
}

// lostPlace reports whether a watch cannot go on from where it was.
func lostPlace(err error) bool {
	return apierrors.IsResourceExpired(err) || apierrors.IsGone(err) || apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge) ||
		apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsTimeout(err)
}

func unauthorized(err error) bool { return apierrors.IsUnauthorized(err) }

// gone reports whether the cluster does not serve a resource.
func gone(err error) bool { return apierrors.IsNotFound(err) }

// unwell reports whether the server, or the way to it, is in no state to answer whatever it is asked.
func unwell(err error) bool {
	var address *url.Error
	var silent silentError
	var connection connectionError
	return errors.As(err, &address) || errors.As(err, &silent) || errors.As(err, &connection) || apierrors.IsTooManyRequests(err) || apierrors.IsServiceUnavailable(err) ||
		apierrors.IsInternalError(err) && !hasStatusCause(err, "ClientWatchDecoding")
}

func hasStatusCause(err error, cause metav1.CauseType) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && hasCause(status.Status(), cause)
}

// garbledError is the error of an answer that makes no sense.
type garbledError struct{ err error }

func (e garbledError) Error() string {
	return "the answer is not what a Kubernetes API server says: " + e.err.Error()
}
func (e garbledError) Unwrap() error { return e.err }
