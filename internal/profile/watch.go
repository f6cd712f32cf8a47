package profile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/254carbon/gonogo/actions"
	"github.com/254carbon/gonogo/probes"
)

// watchPeriod is how often the file is looked at.
const watchPeriod = 2 * time.Second

// Watch looks at the file of a profile and the lock beside it until ctx ends, and tells what becomes of it: onChange gets each new valid profile, onError what is
// wrong with the newest text, once for each text, and nil when that is over. A file that is broken or gone leaves the profile that was
// valid before as it is. It blocks; both functions are called from the same goroutine. Digest is that of the profile in use.
func Watch(ctx context.Context, path, digest string, kinds []probes.KindInfo, acts []actions.KindInfo, onChange func(*Profile), onError func(error)) {
	w := watcher{path: path, kinds: kinds, acts: acts, used: digest, seen: digest, onChange: onChange, onError: onError}
	tick := time.NewTicker(watchPeriod)
	defer tick.Stop()
	for {
		w.look()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

type watcher struct {
	path     string
	kinds    []probes.KindInfo
	acts     []actions.KindInfo
	used     string      // digest of the text of the profile in use
	seen     string      // digest of the text last judged; empty when there was none
	info     os.FileInfo // of the file when it was last read
	lock     os.FileInfo // of the lock then; nil if there was none
	trouble  string
	onChange func(*Profile)
	onError  func(error)
}

func (w *watcher) look() {
	info, err := os.Stat(w.path)
	lock := statLock(w.path)
	if err == nil && unchanged(w.info, info) && (lock == nil && w.lock == nil || unchanged(w.lock, lock)) {
		return
	}
	var src source
	if err == nil {
		src, err = readBoth(w.path)
	}
	if err != nil {
		w.info, w.seen = nil, ""
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("the profile %s is gone; the one read before stays in use", w.path)
		} else {
			err = fmt.Errorf("%w; the one read before stays in use", err)
		}
		w.report(err)
		return
	}
	w.info, w.lock = info, lock
	digest := src.digest()
	if digest == w.seen {
		return
	}
	w.seen = digest
	if digest == w.used { // back to what is in use
		w.report(nil)
		return
	}
	p, err := src.load(w.path, w.kinds, w.acts...)
	if err != nil {
		w.report(err)
		return
	}
	w.used = digest
	w.report(nil)
	w.onChange(p)
}

// unchanged reports whether a file cannot have another text than when it was last read. Within the first seconds after a change its times
// alone do not tell: another one may follow within the same tick of the file system's clock.
func unchanged(was, is os.FileInfo) bool {
	return was != nil && is != nil && os.SameFile(was, is) && was.Size() == is.Size() && was.ModTime().Equal(is.ModTime()) &&
		time.Since(is.ModTime()) > 2*watchPeriod
}

// report tells of trouble once, and once that it is over.
func (w *watcher) report(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text == w.trouble {
		return
	}
	w.trouble = text
	w.onError(err)
}
