package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/adrg/xdg"
	"github.com/spf13/cobra"

	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/images"
)

func newLock(o *options) *cobra.Command {
	output := ""
	cmd := &cobra.Command{
		Use:   "lock [FILE|NAME]",
		Short: "Resolve the images of a profile to digests, and write the lock",
		Long: `Lock asks the original registry of each image which digest its tag stands for
now, and writes a line for each: the source and its digest. Only HEAD requests
are sent, which no registry counts as a pull; one that limits their rate is
waited for.

The lock takes effect as images.lock beside the profile's file, or for the
built-in profile as ` + "`gonogo/images.lock`" + ` in the configuration directory
($XDG_CONFIG_HOME, ~/.config). A digest that stands in the profile itself comes
first. Images that could not be resolved keep the digest they have, are named,
and make the exit code 1.`,
		Example: `  gonogo profile lock --output ~/.config/gonogo/images.lock
  gonogo profile lock mine.yaml --output images.lock`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := openProfile(o, args)
			if err != nil {
				return err
			}
			return lock(cmd.Context(), o, p, output)
		},
	}
	cmd.Flags().StringVar(&output, "output", "", "write the lock to this file (default: standard output)")
	return cmd
}

// builtinLock is where the digests of a built-in profile's images are locked: it has no file that a lock could stand beside.
func builtinLock() string { return filepath.Join(xdg.ConfigHome, "gonogo", profile.LockName) }

// lock resolves the images of a profile and writes what they are.
func lock(ctx context.Context, o *options, p *profile.Profile, output string) error {
	if len(p.Images) == 0 {
		return exitError{code: exitUsage, err: fmt.Errorf("%s declares no images to lock", p.Source)}
	}
	if output == builtinLock() { // a folder of gonogo's own
		if err := os.MkdirAll(filepath.Dir(output), 0o700); err != nil {
			return unwritten(output, err)
		}
	}
	if err := placeFor(output); err != nil {
		return err
	}
	s := &session{opts: o, profile: p, now: time.Now}
	log, err := s.logger()
	if err == nil {
		err = s.connect(ctx, log)
	}
	if err != nil {
		return errors.Join(err, s.close())
	}
	defer func() { _ = s.close() }()
	digests, failed := resolve(ctx, s.platform.Upstream, p.Declared().Images, func(text string) { complain(o.err, errors.New(text)) })
	if err := ctx.Err(); err != nil {
		return exitError{code: exitNoGo, err: errors.New("interrupted: nothing was written")}
	}
	if err := deliver(o.out, output, profile.FormatLock(digests)); err != nil {
		return err
	}
	if len(failed) > 0 {
		return exitError{code: exitNoGo, err: fmt.Errorf("%d of %d images could not be resolved:\n%s", len(failed), len(p.Images), strings.Join(failed, "\n"))}
	}
	if output != "" {
		_, err = fmt.Fprintf(o.out, "%d images are locked in %s\n", len(digests), output)
	}
	return err
}

// Limits on waiting for a registry that wants fewer requests.
const (
	longestWait = 15 * time.Minute
	defaultWait = 30 * time.Second // where a registry does not say how long
	maxRounds   = 6
)

// resolve asks which digest each source stands for, by source. What a registry limits is asked again when it allows it; what could not be
// resolved keeps the digest it has, and is listed with the reason.
func resolve(ctx context.Context, from images.Registry, all []probes.Image, tell func(string)) (digests map[string]string, failed []string) {
	digests = map[string]string{}
	var ask []string
	for _, image := range all {
		if _, pinned, ok := strings.Cut(image.Source, "@"); ok {
			digests[image.Source] = pinned
			continue
		}
		ask = append(ask, image.Source)
	}
	reasons := map[string]error{}
	for round := 1; len(ask) > 0; round++ {
		heads := from.Heads(ctx, ask)
		var again []string
		var wait *images.LimitedError
		for _, source := range ask {
			head := heads[source]
			limited := new(images.LimitedError)
			switch {
			case head.Err == nil:
				digests[source] = head.Digest
			case errors.As(head.Err, &limited) && limited.After <= longestWait && round < maxRounds:
				again = append(again, source)
				if wait == nil || limited.After > wait.After {
					wait = limited
				}
			default:
				reasons[source] = head.Err
			}
		}
		ask = again
		if wait == nil {
			break
		}
		pause := wait.After
		if pause == 0 {
			pause = defaultWait
		}
		tell(fmt.Sprintf("%v: waiting %s for %d images", wait, pause, len(ask)))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return digests, nil
		}
	}
	for _, image := range all {
		err, ok := reasons[image.Source]
		if !ok {
			continue
		}
		line := fmt.Sprintf("%s: %v", image.Source, err)
		if image.Digest != "" {
			digests[image.Source] = image.Digest
			line += "; it keeps " + image.Digest
		}
		failed = append(failed, line)
		delete(reasons, image.Source) // each once
	}
	return digests, failed
}
