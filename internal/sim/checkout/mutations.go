package checkout

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-git/go-git/v5"

	"github.com/254carbon/gonogo/probes"
)

// Mutation is one change to the checkout of a platform that is ready.
type Mutation struct {
	Name     string
	About    string
	Harmless bool
	Check    probes.ID // the check that must notice
	Words    []string  // what it must say
	change   func(c *changer)
}

// Apply makes the change in the folder, at a time.
func (m Mutation) Apply(dir string, now time.Time) error {
	c := &changer{dir: dir, now: now}
	m.change(c)
	if c.err != nil {
		return fmt.Errorf("applying %s: %w", m.Name, c.err)
	}
	return nil
}

// changer makes changes until one of them fails.
type changer struct {
	dir string
	now time.Time
	err error
}

func (c *changer) path(name string) string { return filepath.Join(c.dir, filepath.FromSlash(name)) }

func (c *changer) do(err error) { c.err = errors.Join(c.err, err) }

func (c *changer) write(name, text string) { c.do(write(c.dir, name, []byte(text))) }

func (c *changer) edit(name string, change func(string) string) {
	text, err := os.ReadFile(c.path(name))
	c.do(err)
	if changed := change(string(text)); err == nil {
		c.write(name, changed)
	}
}

// overlay takes a file as it was found.
func (c *changer) overlay(name string) {
	text, err := fs.ReadFile(content, "asfound/"+name)
	c.do(err)
	c.write(name, string(text))
}

// again makes the repository anew with the README's last change so long ago.
func (c *changer) again(age time.Duration) {
	c.do(os.RemoveAll(c.path(".git")))
	if c.err != nil {
		return
	}
	repo, err := git.PlainInit(c.dir, false)
	c.do(err)
	if err == nil {
		c.do(Commit(repo, c.now.Add(-age), "All of it"))
	}
}

// Mutations are the single changes. Every name is there once.
func Mutations() []Mutation {
	bad := func(name, about string, check probes.ID, change func(*changer), words ...string) Mutation {
		return Mutation{Name: name, About: about, Check: check, Words: words, change: change}
	}
	harmless := func(name, about string, change func(*changer)) Mutation {
		return Mutation{Name: name, About: about, Harmless: true, change: change}
	}
	remove := func(names ...string) func(*changer) {
		return func(c *changer) {
			for _, name := range names {
				c.do(os.RemoveAll(c.path(name)))
			}
		}
	}
	return []Mutation{
		bad("guide-missing", "nobody wrote how to mirror images", "guides", remove("docs/operations/image-mirroring.md"), "no guide for mirroring"),
		bad("guides-missing", "half of the guides are gone", "guides", remove("docs/sso", "docs/operations/deployment"), "no guide for sso", "needed"),
		bad("guide-stub", "the guide for disasters is a heading and a promise", "guides", func(c *changer) {
			c.write("docs/disaster-recovery/DR_RUNBOOK.md", "# Recovery after a disaster\n\nTo be written before the go-live.\n")
		}, "recovery", "stub"),
		bad("guides-copies", "guides are copies of one another", "guides", func(c *changer) {
			text, err := os.ReadFile(c.path("docs/sso/guide.md"))
			c.do(err)
			for _, name := range []string{"sso/validation", "monitoring/runbook", "cloudflare/overview", "backup/velero-installation", "readiness/production-readiness"} {
				c.write("docs/"+name+".md", string(text))
			}
		}, "10 guides"),
		bad("guide-in-conflict", "a merge of a guide was never finished", "guides", func(c *changer) {
			c.edit("docs/operations/image-mirroring.md", func(s string) string { return s + "<<<<<<< HEAD\none\n=======\ntwo\n>>>>>>> other\n" })
		}, "mirroring", "merge"),
		bad("script-not-executable", "a script lost its mode", "scripts", func(c *changer) {
			c.do(os.Chmod(c.path("scripts/mirror-images.sh"), 0o644))
		}, "mirror-images.sh", "not executable"),
		bad("script-does-not-parse", "a loop is not closed", "scripts", func(c *changer) {
			c.edit("scripts/verify-tunnel.sh", func(s string) string { return strings.Replace(s, "done", "", 1) })
		}, "verify-tunnel.sh", "does not parse"),
		bad("script-windows", "somebody edited a script on Windows", "scripts", func(c *changer) {
			c.edit("scripts/verify-tunnel.sh", func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") })
		}, "verify-tunnel.sh", "Windows"),
		bad("script-stops-early", "a script counts so that it ends after its first success", "scripts", func(c *changer) { c.overlay("scripts/mirror-images.sh") },
			"mirror-images.sh", "SUCCESS++"),
		bad("script-cannot-fail", "a script takes nothing found for a success", "scripts", func(c *changer) {
			c.edit("scripts/verify-platform-complete.sh", func(s string) string {
				return s + "if kubectl get pods -l app=prometheus -n monitoring; then echo monitoring; fi\n"
			})
		}, "verify-platform-complete.sh", "cannot fail"),
		bad("script-secret", "a token stands in a script", "scripts", func(c *changer) { c.overlay("scripts/verify-cloudflare-dns.sh") },
			"verify-cloudflare-dns.sh", "secret"),
		bad("scripts-few", "most scripts are gone", "scripts", remove(
			"scripts/mirror-images.sh", "scripts/setup-private-registry.sh", "scripts/phase4-testing.sh", "scripts/verify-tunnel.sh", "scripts/deploy-velero-backup.sh",
			"scripts/verify-ssl-certificates.sh", "scripts/verify-cloudflare-dns.sh", "scripts/setup-cloudflare-dns.sh"), "9 scripts"),
		bad("sso-script-missing", "the script of phase 3 is gone", "sso-scripts", remove("scripts/sso-setup-phase3.sh"), "sso-setup-phase3.sh is missing"),
		bad("sso-script-elsewhere", "the script of phase 3 is a link out of the checkout", "sso-scripts", func(c *changer) {
			remove("scripts/sso-setup-phase3.sh")(c)
			c.do(os.Symlink("/bin/sh", c.path("scripts/sso-setup-phase3.sh")))
		}, "sso-setup-phase3.sh cannot be read"),
		bad("sso-script-judges-annotations", "the validator asks for annotations", "sso-scripts", func(c *changer) { c.overlay("scripts/sso-validate-phase4.sh") },
			"sso-validate-phase4.sh", "auth-url"),
		bad("readme-old", "nobody has touched the README for two months", "readme-current", func(c *changer) { c.again(60 * 24 * time.Hour) }, "60 days ago"),
		bad("readme-missing", "there is no README", "readme-current", remove("README.md"), "no README.md"),
		bad("readme-empty", "the README is empty", "readme-current", func(c *changer) { c.write("README.md", "# 254Carbon\n") }, "empty"),
		harmless("guide-added", "there is a guide more", func(c *changer) {
			c.write("docs/operations/scripts.md", "# Scripts\n\n"+strings.Repeat("What each of the scripts does stands at its top. ", 12))
		}),
		harmless("script-updated", "a script has a line more", func(c *changer) {
			c.edit("scripts/verify-tunnel.sh", func(s string) string { return strings.Replace(s, "short=0", "short=0\n# counts pods", 1) })
		}),
		harmless("notes-added", "there is a file that is no guide and no script", func(c *changer) {
			c.write("scripts/notes.txt", "nothing to run")
			c.do(os.WriteFile(c.path("docs/diagram.bin"), bytes.Repeat([]byte{0}, 4096), 0o644))
		}),
	}
}
