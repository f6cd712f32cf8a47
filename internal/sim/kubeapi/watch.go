package kubeapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// defaultWatch ends a watch for which the client named no time; the real server picks one from half
// an hour to an hour.
const defaultWatch = 45 * time.Minute

// bookmarkLead is how long before its end a watch gets a last bookmark.
const bookmarkLead = 2 * time.Second

// frame is one line of a watch.
type frame struct {
	Type   string `json:"type"`
	Object any    `json:"object"`
}

// watcher is one running watch.
type watcher struct {
	server    *Server
	res       Resource
	namespace string
	sel       selection
	format    format
	out       *json.Encoder
	flush     func() error
	version   uint64 // all changes up to here were considered
}

// watch streams changes until the client leaves, the time is over, or the server is closed. Once it
// has begun, errors are told as ERROR events, as a stream must.
func (s *Server) watch(w http.ResponseWriter, r *http.Request, res Resource, in info, q query, f format) error {
	sel, err := parseSelection(res, q.labelSelector, q.fieldSelector)
	if err != nil {
		return err
	}
	version, err := q.watchFrom(s.store.Version())
	if err != nil {
		return err
	}
	if in.name != "" {
		return notAllowed(res, r)
	}
	h := w.Header()
	h.Set("Content-Type", jsonType)
	h.Set("Cache-Control", "no-cache, private")
	w.WriteHeader(http.StatusOK)
	wt := &watcher{
		server: s, res: res, namespace: in.namespaceOf(res), sel: sel, format: f,
		out: json.NewEncoder(w), flush: flusher(w), version: version,
	}
	if err := wt.begin(q, version); err == nil {
		wt.follow(r, q)
	}
	return nil
}

// flusher sends what was written so far. Behind a wrapper that cannot flush, events arrive late rather
// than not at all.
func flusher(w http.ResponseWriter) func() error {
	rc := http.NewResponseController(w)
	return func() error {
		if err := rc.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		return nil
	}
}

// watchFrom checks the combination of parameters that says where a watch begins.
func (q query) watchFrom(current uint64) (uint64, error) {
	version, err := parseVersion(q.version)
	if err != nil {
		return 0, err
	}
	notOlder := string(metav1.ResourceVersionMatchNotOlderThan)
	switch {
	case q.initial == nil && q.match != "":
		return 0, invalidOptions("resourceVersionMatch", "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")
	case q.initial != nil && q.match != notOlder:
		return 0, invalidOptions("resourceVersionMatch", "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
	case truth(q.initial) && version > current:
		return 0, tooLarge(version, current)
	}
	return version, nil
}

// begin sends what comes before the changes: the objects there are, if the watch begins with them, and
// the bookmark that ends them, if it was asked for.
func (wt *watcher) begin(q query, version uint64) error {
	fromNow := q.version == "" || q.version == "0"
	if q.initial != nil && !*q.initial {
		if fromNow {
			wt.version = wt.server.store.Version()
		}
		return wt.flush()
	}
	if !truth(q.initial) && !fromNow {
		return wt.flush()
	}
	entries, version, err := wt.server.store.entriesAt(wt.res.GVR(), wt.namespace, 0)
	if err != nil {
		return wt.fail(err)
	}
	wt.version = version
	for _, e := range entries {
		if wt.sel.matches(e.obj) {
			if err := wt.send(string(Added), wt.format.shape(e.obj)); err != nil {
				return err
			}
		}
	}
	if truth(q.initial) && q.bookmarks {
		return wt.bookmark(Object{metav1.InitialEventsAnnotationKey: "true"})
	}
	return wt.flush()
}

// follow sends changes and bookmarks until the watch ends.
func (wt *watcher) follow(r *http.Request, q query) {
	timeout := q.timeout
	if timeout <= 0 {
		timeout = defaultWatch
	}
	deadline := time.Now().Add(timeout)
	end := time.NewTimer(timeout)
	defer end.Stop()
	mark := time.NewTimer(wt.untilBookmark(deadline))
	defer mark.Stop()
	for {
		changed := wt.server.store.Changed()
		if err := wt.pass(); err != nil {
			return
		}
		select {
		case <-changed:
		case <-mark.C:
			if q.bookmarks {
				if err := wt.bookmark(nil); err != nil {
					return
				}
			}
			mark.Reset(wt.untilBookmark(deadline))
		case <-end.C:
			return
		case <-wt.server.closed:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// untilBookmark is the interval, or less so that one bookmark falls shortly before the end.
func (wt *watcher) untilBookmark(deadline time.Time) time.Duration {
	every, lead := wt.server.opts.BookmarkInterval, time.Until(deadline)-bookmarkLead
	if lead > 0 && lead < every {
		return lead
	}
	return every
}

// pass sends the changes since the last pass.
func (wt *watcher) pass() error {
	events, upTo, err := wt.server.store.Since(wt.res.GVR(), wt.version)
	if err != nil {
		return wt.fail(err)
	}
	for _, e := range events {
		what, obj := wt.see(e)
		if what == "" {
			continue
		}
		if err := wt.send(string(what), wt.format.shape(obj)); err != nil {
			return err
		}
	}
	wt.version = max(wt.version, upTo)
	if len(events) == 0 {
		return nil
	}
	return wt.flush()
}

// see is an event as this watch's selection has it: an object that begins to match is added, one that
// ceases to match is deleted, told by its last matching state. "" means that it is not seen.
func (wt *watcher) see(e Event) (EventType, Object) {
	if wt.namespace != "" && metaString(e.Object, "namespace") != wt.namespace {
		return "", nil
	}
	before := e.Previous != nil && wt.sel.matches(e.Previous)
	after := e.Type != Deleted && wt.sel.matches(e.Object)
	switch {
	case after && before:
		return Modified, e.Object
	case after:
		return Added, e.Object
	case before && e.Type == Deleted:
		return Deleted, e.Object
	case before:
		last := runtime.DeepCopyJSON(e.Previous)
		setMeta(last, "resourceVersion", strconv.FormatUint(e.Version, 10))
		return Deleted, last
	}
	return "", nil
}

// bookmark tells the client the version it has seen everything up to.
func (wt *watcher) bookmark(annotations Object) error {
	meta := Object{"resourceVersion": strconv.FormatUint(wt.version, 10), "creationTimestamp": nil}
	if annotations != nil {
		meta["annotations"] = annotations
	}
	obj := Object{"kind": wt.res.Kind, "apiVersion": wt.res.apiVersion(), "metadata": meta}
	if err := wt.send("BOOKMARK", wt.format.shape(obj)); err != nil {
		return err
	}
	return wt.flush()
}

// fail tells an error in the stream and ends it.
func (wt *watcher) fail(err error) error {
	if sendErr := wt.send("ERROR", statusFor(err)); sendErr != nil {
		return sendErr
	}
	_ = wt.flush() // the stream ends here anyway
	return fmt.Errorf("watching %s: %w", wt.res.Plural, err)
}

func (wt *watcher) send(what string, obj any) error {
	return wt.out.Encode(frame{what, obj})
}
