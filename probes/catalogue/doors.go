package catalogue

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/254carbon/gonogo/probes"
)

// door is what became of asking one URL.
type door struct {
	evidence probes.Evidence
	wrong    string
}

// Limits of asking the URLs.
const (
	atOnce  = 8
	mostPer = 5 * time.Second
)

// knock asks the URL of every entry that has a good one. Any answer below 500 with a valid certificate will do, the page of a login
// included: who may come in is for other checks. Redirects are not followed. A host that cannot be reached is noted and no more, since a
// bastion may have no way out; a certificate that has expired or is another host's is wrong, and one whose authority is not known here is
// noted.
func (p probe) knock(ctx context.Context, entries []entry) []door {
	var asked []entry
	for _, e := range entries {
		if badURL(e.values["url"]) == "" {
			asked = append(asked, e)
		}
	}
	doors := make([]door, len(asked))
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i, e := range asked {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(ctx, mostPer)
			defer cancel()
			doors[i] = p.open(ctx, e)
		})
	}
	all.Wait()
	return doors
}

func (p probe) open(ctx context.Context, e entry) door {
	address := e.values["url"]
	request := probes.Request{Source: "GET " + address, Repeat: "curl -sS -o /dev/null -w '%{http_code}' " + probes.ShellWord(address)}
	d := door{evidence: probes.Evidence{Subject: "URL of " + e.name(), Want: "an answer below 500, with a valid certificate"}.From(request)}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		d.evidence.Got = "could not be asked"
		return d
	}
	resp, _, err := p.sources.Web.Fetch(ctx, "", r)
	if err != nil {
		var invalid x509.CertificateInvalidError
		var host x509.HostnameError
		switch {
		case errors.As(err, &host):
			d.wrong = "shows the certificate of another host"
		case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
			d.wrong = "shows a certificate that has expired"
		default:
			d.evidence.Got = "could not be reached from here: " + err.Error()
			return d
		}
	} else {
		_ = resp.Body.Close()
		d.evidence.Got = strconv.Itoa(resp.StatusCode)
		if resp.StatusCode >= http.StatusInternalServerError { // the edge's 520 to 530 among them
			d.wrong = fmt.Sprintf("answers %d", resp.StatusCode)
		}
	}
	if d.wrong != "" {
		d.evidence.Got, d.evidence.Wanting = d.wrong, true
		d.wrong = e.name() + " " + d.wrong
	}
	return d
}
