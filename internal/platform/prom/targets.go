package prom

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/monitors"
)

// Targets lists the active targets of a scrape pool. A pool that does not exist has none. Note and errors are as of [Client.Query].
func (c *Client) Targets(ctx context.Context, pool string) (probes.Seen[monitors.Target], error) {
	u := c.base.JoinPath("api/v1/targets")
	u.RawQuery = url.Values{"state": {"active"}, "scrapePool": {pool}}.Encode()
	seen := probes.Seen[monitors.Target]{Confirmed: c.now(), Request: c.describe(u)}
	body, status, err := c.get(ctx, u)
	if err == nil {
		seen.Items, seen.Note, err = targets(status, body, pool)
	}
	if err != nil {
		return probes.Seen[monitors.Target]{Request: seen.Request}, fmt.Errorf("asking Prometheus for the targets of %s: %w", pool, err)
	}
	return seen, nil
}

// targets reads the targets of a pool; a Prometheus older than 2.42 answers with those of all pools.
func targets(status int, body []byte, pool string) ([]monitors.Target, string, error) {
	e, err := open(status, body)
	if err != nil {
		return nil, "", err
	}
	var data struct {
		Active []struct {
			Pool       string            `json:"scrapePool"`
			Labels     map[string]string `json:"labels"`
			URL        string            `json:"scrapeUrl"`
			Health     string            `json:"health"`
			LastError  string            `json:"lastError"`
			LastScrape time.Time         `json:"lastScrape"`
		} `json:"activeTargets"`
	}
	if absent(e.Data) {
		return nil, "", errors.New("the answer has no data")
	}
	if err := decodeOne(e.Data, &data); err != nil {
		return nil, "", err
	}
	if data.Active == nil {
		return nil, "", errors.New("the answer has no list of active targets")
	}
	var list []monitors.Target
	for _, t := range data.Active {
		if t.Pool == pool {
			list = append(list, monitors.Target{Labels: t.Labels, URL: t.URL, Health: t.Health, LastError: t.LastError, LastScrape: t.LastScrape})
		}
	}
	return list, note(e.Warnings), nil
}
