package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/254carbon/gonogo/internal/profile"
	"github.com/254carbon/gonogo/probes"
)

// systems tries the connections apart from the cluster, each with gonogo's reading credential for it.
func (e *examination) systems(ctx context.Context) {
	for _, s := range []struct {
		name string
		try  func(context.Context)
	}{
		{"prometheus", e.prometheus}, {"harbor", e.harbor}, {"cloudflare", e.cloudflare}, {"minio", e.minio}, {"postgres", e.postgres},
		{"checkout", e.checkout},
	} {
		trouble := e.Platform.Trouble(s.name)
		switch {
		case !e.Profile.Connections.Has(s.name):
			if uses := e.uses[s.name]; len(uses) > 0 {
				e.broken[s.name] = true
				e.add(Finding{Area: s.name, Subject: "connection", State: Missing, Text: "the profile does not say where it is", Do: "Write connections." + s.name + " into the profile.", Checks: uses})
			}
		case trouble != nil && s.name == "prometheus" && e.broken["kubernetes"]:
			e.fault(s.name, "connection", "it is reached through the cluster, which cannot be", "Mend the connection to the cluster first.")
		case trouble != nil:
			e.fault(s.name, "connection", trouble.Error(), "Correct connections."+s.name+" in the profile.")
		default:
			bounded, cancel := context.WithTimeout(ctx, tryFor)
			s.try(bounded)
			cancel()
		}
	}
}

// prometheus asks a Prometheus for its time.
func (e *examination) prometheus(ctx context.Context) {
	const area = "prometheus"
	where := e.Profile.Connections.Prometheus.URL
	if where == "" {
		where = "service " + e.Profile.Connections.Prometheus.Service
	}
	seen, err := e.Platform.Prometheus.Query(ctx, "time()")
	if err == nil && len(seen.Items) != 1 {
		err = fmt.Errorf("querying Prometheus: it does not know its own time")
	}
	if err != nil {
		e.fault(area, "connection", because(err), "Repeat it by hand: "+seen.Request.Repeat)
		return
	}
	e.add(Finding{Area: area, Subject: "connection", State: OK, Text: "answers queries, " + where})
	server := time.UnixMilli(int64(float64(seen.Items[0].Value) * 1000))
	if off := e.Now().Sub(server).Abs(); off > maxSkew {
		e.add(Finding{
			Area: area, Subject: "clock", State: Wrong, Text: fmt.Sprintf("its clock and this machine's are %s apart", off.Round(time.Second)),
			Do: "Let both machines follow a time server (chrony, systemd-timesyncd).",
		})
	}
}

// harbor asks a Harbor for its health, which needs no login, and tries gonogo's own one.
func (e *examination) harbor(ctx context.Context) {
	const area = "harbor"
	c := e.Profile.Connections.Harbor
	health, err := e.Platform.Harbor.Health(ctx)
	if err != nil {
		e.fault(area, "connection", "asking for its health: "+because(err), "Repeat it by hand: curl -sS "+probes.ShellWord(c.URL+"/api/v2.0/health"))
		return
	}
	e.add(Finding{Area: area, Subject: "connection", State: OK, Text: fmt.Sprintf("Harbor says %s, %s", health.Status, c.URL)})
	if c.Read == nil {
		e.add(Finding{Area: area, Subject: "reading credential", State: Note, Text: "none: gonogo reads what everybody may", Do: "Write connections.harbor.read into the profile if checks need more."})
		return
	}
	e.login(ctx, "reading credential", *c.Read, true)
}

// login tries a credential for Harbor. A refusal is remembered by the client, so that no check tries it again.
func (e *examination) login(ctx context.Context, subject string, c profile.Credential, own bool) {
	const area, project = "harbor", "library" // whether there is such a project does not matter
	f := Finding{Area: area, Subject: subject, State: Missing}
	user, err := e.Platform.Secrets.Name(ctx, c.Username)
	var password string
	if err == nil {
		password, err = e.Platform.Secrets.Resolve(ctx, c.Password)
	}
	if err != nil {
		f.Text, f.Do = err.Error(), "Put the user name and password where the profile says: "+c.Username.String()+" and "+c.Password.String()+"."
		if !own && errors.Is(err, probes.ErrNoSecret) {
			f.State, f.Text, f.Do = Note, err.Error()+"; without it actions name what is to be done by hand", ""
		}
		e.tell(f, own)
		return
	}
	login, err := e.Platform.Harbor.Login(ctx, user, password, project)
	switch {
	case err != nil:
		f.State, f.Text, f.Do = Wrong, because(err), "Look at Harbor's core."
	case !login.Accepted:
		f.State, f.Text = Wrong, "Harbor does not accept user "+user
		f.Do = "Correct " + c.Username.String() + " or " + c.Password.String() + "; gonogo does not try the same again before " + login.Until.UTC().Format("15:04") + " UTC."
	default:
		f.State, f.Text = OK, "Harbor accepts user "+user
	}
	e.tell(f, own)
}

// tell adds a finding about a credential; one of gonogo's own that does not work is remembered, for the checks that need it.
func (e *examination) tell(f Finding, own bool) {
	if own && f.State != OK {
		e.own[f.Area] = len(e.findings)
	}
	e.add(f)
}

// cloudflare asks what Cloudflare says of gonogo's own token.
func (e *examination) cloudflare(ctx context.Context) {
	c := e.Profile.Connections.Cloudflare
	if c.Read == nil {
		e.broken["cloudflare"] = true
		e.add(Finding{
			Area: "cloudflare", Subject: "reading token", State: Missing, Text: "the profile names none, and Cloudflare tells nobody anything without one",
			Do: "Write connections.cloudflare.read.token into the profile.", Checks: e.uses["cloudflare"],
		})
		return
	}
	e.token(ctx, "reading token", c.Read.Token, true)
	if c.Account.Text == "" {
		f := Finding{Area: "cloudflare", Subject: "account", State: OK, Text: c.Account.Ref.String() + " is set"}
		if _, err := e.Platform.Secrets.Name(ctx, c.Account.Ref); err != nil {
			f.State, f.Text, f.Do = Missing, err.Error(), "Put the account's id where the profile says: "+c.Account.Ref.String()+"."
			f.Checks = e.uses["cloudflare"]
		}
		e.add(f)
	}
}

// token tries a token for Cloudflare.
func (e *examination) token(ctx context.Context, subject string, ref probes.SecretRef, own bool) {
	const area = "cloudflare"
	f := Finding{Area: area, Subject: subject, State: Missing}
	text, err := e.Platform.Secrets.Resolve(ctx, ref)
	if err != nil {
		f.Text, f.Do = err.Error(), "Put the token where the profile says: "+ref.String()+"."
		e.tell(f, own)
		return
	}
	token, err := e.Platform.Cloudflare.Verify(ctx, text)
	f.State = Wrong
	switch {
	case err != nil:
		repeat := strings.ReplaceAll(token.Request.Repeat, "CLOUDFLARE_API_TOKEN", "CLOUDFLARE_READ_TOKEN")
		e.fault(area, "connection", "verifying the "+subject+": "+because(err), "Repeat it by hand: "+repeat)
		return
	case token.Refused:
		f.Text, f.Do = "Cloudflare does not accept it: "+token.Reason, "Make a new token and put it where the profile says: "+ref.String()+"."
	case token.Status != "active":
		f.Text, f.Do = "Cloudflare says that it is "+token.Status, "Make a new token and put it where the profile says: "+ref.String()+"."
	default:
		f.State, f.Text = OK, "Cloudflare says that it is active"
		if !token.Expires.IsZero() {
			f.Text += ", until " + token.Expires.UTC().Format("2 January 2006")
		}
	}
	e.tell(f, own)
}

// checkout opens the folder.
func (e *examination) checkout(ctx context.Context) {
	const area = "checkout"
	tree, err := e.Platform.Checkout.Open(ctx)
	if err != nil {
		e.fault(area, "folder", err.Error(), "Clone the platform's repository there, or write another path into connections.checkout.")
		return
	}
	_ = tree.Close()
	e.add(Finding{Area: area, Subject: "folder", State: OK, Text: e.Platform.Checkout.Name() + " can be read"})
}
