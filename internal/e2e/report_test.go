//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser starts Chromium without a window, and without anything that it would ask of a network by itself.
func browser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("%v: the lab installs it (make lab-build)", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
	)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

// notes are what a page asked of a network and what it complained of.
type notes struct {
	mu  sync.Mutex
	all []string
}

func (n *notes) add(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, fmt.Sprintf(format, args...))
}

func (n *notes) listen(ctx context.Context, own string) error {
	return chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			if e.Request.URL != own && !strings.HasPrefix(e.Request.URL, "data:") {
				n.add("asks for %s", e.Request.URL)
			}
		case *log.EventEntryAdded:
			n.add("%s: %s", e.Entry.Level, e.Entry.Text)
		case *runtime.EventConsoleAPICalled:
			n.add("console %s", e.Type)
		case *runtime.EventExceptionThrown:
			n.add("exception: %s", e.ExceptionDetails.Text)
		}
	})
}

// faint lists the texts whose colour does not stand out from what is behind them, by the rules of WCAG 2.2 AA. What is behind a text is the
// next background up the tree that is not transparent.
const faint = `(() => {
  const parse = c => { const m = c.match(/[\d.]+/g).map(Number); return {r: m[0], g: m[1], b: m[2], a: m.length > 3 ? m[3] : 1} };
  const light = c => { const f = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; return 0.2126 * f(c.r) + 0.7152 * f(c.g) + 0.0722 * f(c.b) };
  const behind = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.a > 0.99) return c } return {r: 255, g: 255, b: 255} };
  const found = [];
  for (const d of document.querySelectorAll('details')) d.open = true;
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || e.closest('.skip')) continue;
    const s = getComputedStyle(e), size = parseFloat(s.fontSize), big = size >= 24 || size >= 18.66 && s.fontWeight >= 700;
    const [a, b] = [light(parse(s.color)), light(behind(e))].sort((x, y) => y - x), contrast = (a + 0.05) / (b + 0.05);
    if (contrast < (big ? 3 : 4.5)) found.push(contrast.toFixed(2) + ' ' + e.tagName + '.' + e.className + ': ' + texts.currentNode.data.trim().slice(0, 40));
  }
  return [...new Set(found)];
})()`

// ask evaluates an expression in the page.
func ask[T any](ctx context.Context, t *testing.T, expression string) T {
	t.Helper()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	must(t, err)
	return value
}

// The report as a page opens without asking a network for anything and without a complaint, in light and dark, on a phone and on paper.
func TestTheReportIsOneQuietPage(t *testing.T) {
	for _, scenario := range []string{"documented", "ready", "as-found"} {
		t.Run(scenario, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "status.html")
			out, err := exec.CommandContext(t.Context(), suite.binary, "--demo", "--demo-scenario", scenario, "--state-dir", t.TempDir(), "report", "--output", file).CombinedOutput()
			if err != nil || len(out) > 0 {
				t.Fatalf("%v: %s", err, out)
			}
			ctx := browser(t)
			own := (&url.URL{Scheme: "file", Path: filepath.ToSlash(file)}).String()
			var seen notes
			must(t, seen.listen(ctx, own))
			must(t, chromedp.Do(ctx, chromedp.Navigate(own)))
			if title := ask[string](ctx, t, `document.title`); !strings.Contains(title, "254Carbon") {
				t.Errorf("title %q", title)
			}
			for _, scheme := range []string{"light", "dark"} {
				_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
				must(t, err)
				if texts := ask[[]string](ctx, t, faint); len(texts) > 0 {
					t.Errorf("hard to read in %s:\n%s", scheme, strings.Join(texts, "\n"))
				}
			}
			for _, width := range []int64{320, 768, 1600} {
				must(t, chromedp.Do(ctx, chromedp.EmulateViewport(width, 800)))
				if wide := ask[int64](ctx, t, `document.scrollingElement.scrollWidth`); wide > width {
					t.Errorf("%d wide on a screen of %d", wide, width)
				}
			}
			paper, err := chromedp.Run(ctx, chromedp.PrintToPDF(chromedp.PDFPreferCSSPageSize()))
			if err != nil || len(paper) < 10_000 {
				t.Errorf("%d bytes on paper, %v", len(paper), err)
			}
			seen.mu.Lock()
			defer seen.mu.Unlock()
			if len(seen.all) > 0 {
				t.Errorf("the page\n%s", strings.Join(seen.all, "\n"))
			}
		})
	}
}
