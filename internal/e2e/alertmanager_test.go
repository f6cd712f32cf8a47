//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/254carbon/gonogo/internal/labtest"
)

// routing sends every alert to a receiver: one that calls a URL, or one that drops it.
func routing(receiver, target string) string {
	return fmt.Sprintf(`
route: {receiver: %s, group_wait: 0s, group_interval: 1s, repeat_interval: 1s}
receivers:
- {name: on-call, webhook_configs: [{url: %q}]}
- {name: drop}
`, receiver, target)
}

// post sends JSON and reads JSON.
func post(ctx context.Context, method, address string, body any, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err = io.ReadAll(response.Body)
	switch {
	case err != nil:
		return err
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("%s %s: %s: %s", method, address, response.Status, text)
	case into == nil:
		return nil
	}
	return json.Unmarshal(text, into)
}

// awaitMetric waits until the Prometheus of a lab has an answer to a query that is a condition.
func awaitMetric(t *testing.T, lab *labtest.Lab, condition string) {
	t.Helper()
	must(t, labtest.WaitFor(t.Context(), "waiting for "+condition, time.Minute, 500*time.Millisecond, func(ctx context.Context) (bool, error) {
		var answer struct {
			Data struct{ Result []any }
		}
		err := post(ctx, http.MethodGet, "http://"+lab.Prometheus()+"/api/v1/query?"+url.Values{"query": {condition}}.Encode(), nil, &answer)
		return len(answer.Data.Result) > 0, err
	}))
}

// TestAlertRouting has a real Prometheus send the Watchdog to a real Alertmanager, which sends it on to a server on loopback, or does not.
func TestAlertRouting(t *testing.T) {
	t.Parallel()
	var received atomic.Int64
	var refuse atomic.Bool
	pager := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		if refuse.Load() {
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		if strings.Contains(string(text), `"Watchdog"`) {
			received.Add(1)
		}
	}))
	defer pager.Close()
	lab := labtest.Start(t, labtest.Options{Routing: routing("on-call", pager.URL), Rules: `
groups: [{name: lab, rules: [{alert: Watchdog, expr: vector(1), labels: {severity: none}}]}]
`})
	alertmanager := "http://" + lab.Alertmanager()
	s := newStation(t, "", "connections:\n  prometheus: {url: \"http://"+lab.Prometheus()+"\"}\n"+checks(`
- {id: routing, title: t, probe: alertmanager, weight: 1, confirm: 1, with: {url: "`+alertmanager+`"}}
- {id: pair, title: t, probe: alertmanager, weight: 1, confirm: 1, with: {url: "`+alertmanager+`", peers: 2}}
- {id: other, title: t, probe: alertmanager, weight: 1, confirm: 1, with: {url: "`+alertmanager+`", watchdog: DeadMansSwitch}}
- {id: unscraped, title: t, probe: alertmanager, weight: 1, confirm: 1, with: {url: "`+alertmanager+`", job: elsewhere}}
- {id: wrong, title: t, probe: alertmanager, weight: 1, confirm: 1, with: {url: "http://`+lab.Prometheus()+`"}}
`))
	awaitMetric(t, lab, `increase(alertmanager_notifications_total{integration="webhook"}[1d]) > 1`)
	if received.Load() == 0 {
		t.Error("the Watchdog has reached nobody")
	}
	d, _ := s.check(t, "--read-only")
	d.want(t, "routing", "pass", "Watchdog goes to on-call", "no failed one in a day")
	d.want(t, "pair", "fail", "cluster is disabled", "2 peers")
	d.want(t, "other", "fail", "DeadMansSwitch", "not there")
	d.want(t, "unscraped", "unknown", "no metrics of this Alertmanager")
	d.want(t, "wrong", "unknown", "API v2")

	must(t, lab.Route(t.Context(), routing("drop", pager.URL)))
	d, _ = s.check(t)
	d.want(t, "routing", "fail", "Watchdog goes to receiver drop, which sends to nobody")
	must(t, lab.Route(t.Context(), routing("on-call", pager.URL)))

	for value, words := range map[string]string{".+": "mutes every alert", "Watch.*": "Watchdog is silenced"} {
		id := silence(t, alertmanager, map[string]any{"name": "alertname", "value": value, "isRegex": true, "isEqual": true})
		d, _ = s.check(t)
		d.want(t, "routing", "fail", words, "Watchdog is silenced")
		must(t, post(t.Context(), http.MethodDelete, alertmanager+"/api/v2/silence/"+id, nil, nil))
	}
	id := silence(t, alertmanager, map[string]any{"name": "alertname", "value": "Watchdog", "isRegex": false, "isEqual": false})
	d, _ = s.check(t)
	d.want(t, "routing", "fail", "mutes every alert")
	must(t, post(t.Context(), http.MethodDelete, alertmanager+"/api/v2/silence/"+id, nil, nil))
	silence(t, alertmanager, map[string]any{"name": "alertname", "value": "DiskFull", "isRegex": false, "isEqual": true})
	d, _ = s.check(t)
	d.want(t, "routing", "pass")

	refuse.Store(true)
	awaitMetric(t, lab, `increase(alertmanager_notifications_failed_total{integration="webhook"}[1d]) > 0`)
	d, _ = s.check(t)
	d.want(t, "routing", "fail", "sends failed within a day", "by webhook")
}

// silence makes a silence for an hour and returns its id.
func silence(t *testing.T, alertmanager string, matcher map[string]any) string {
	t.Helper()
	var made struct{ SilenceID string }
	now := time.Now().UTC()
	must(t, post(t.Context(), http.MethodPost, alertmanager+"/api/v2/silences", map[string]any{
		"matchers": []any{matcher}, "startsAt": now.Format(time.RFC3339), "endsAt": now.Add(time.Hour).Format(time.RFC3339),
		"createdBy": "admin", "comment": "test",
	}, &made))
	if made.SilenceID == "" {
		t.Fatal("the silence has no id")
	}
	return made.SilenceID
}
