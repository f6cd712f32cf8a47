package postgres

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/prometheus"
)

// The sources of evidence.
const (
	SQL           = "sql"
	Exporter      = "exporter"
	CloudNativePG = "cloudnativepg"
)

// Connection is the connection to the database itself.
const Connection = "postgres"

// ReplicationParams are the parameters of the kind postgres.replication.
type ReplicationParams struct {
	Source   string             `yaml:"source" jsonschema:"description=where the evidence comes from: the servers by SQL over the connection postgres\\, postgres_exporter's metrics in Prometheus\\, or the status of a CloudNativePG Cluster,enum=sql,enum=exporter,enum=cloudnativepg"`
	Service  string             `yaml:"service,omitempty" jsonschema:"description=Service that programs write to: namespace/name"`
	Standbys int                `yaml:"standbys,omitempty" jsonschema:"description=how many standbys must stream,minimum=1"`
	MaxBytes int64              `yaml:"maxBytes,omitempty" jsonschema:"description=how many bytes of the log a standby may be behind,minimum=1"`
	MaxLag   time.Duration      `yaml:"maxLag,omitempty" jsonschema:"description=how long a standby may be behind"`
	Labels   map[string]string  `yaml:"labels,omitempty" jsonschema:"description=of source exporter: labels that its metrics carry"`
	Cluster  string             `yaml:"cluster,omitempty" jsonschema:"description=of source cloudnativepg: the Cluster as namespace/name"`
	DSNs     []probes.SecretRef `yaml:"standbyDSNs,omitempty" jsonschema:"description=of source sql: connection strings of standbys that are asked as well"`
	Settle   time.Duration      `yaml:"settle,omitempty" jsonschema:"description=of source sql: how long a standby that is behind has to come forward"`
}

// Connections says over what the evidence comes.
func (p *ReplicationParams) Connections() []string {
	switch p.Source {
	case SQL:
		return []string{Connection, "kubernetes"}
	case Exporter:
		return []string{prometheus.Connection, "kubernetes"}
	}
	return []string{"kubernetes"}
}

var (
	objectForm = regexp.MustCompile(`^[a-z0-9][-a-z0-9]*/[a-z0-9][-a-z0-9.]*$`)
	labelForm  = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
)

// Validate reports what is wrong with the parameters.
func (p *ReplicationParams) Validate() error {
	switch {
	case !slices.Contains([]string{SQL, Exporter, CloudNativePG}, p.Source):
		return fmt.Errorf("source must be sql, exporter or cloudnativepg, not %q", p.Source)
	case p.Source == CloudNativePG && !objectForm.MatchString(p.Cluster):
		return fmt.Errorf("cluster must be written namespace/name, not %q", p.Cluster)
	case p.Source != CloudNativePG && p.Cluster != "":
		return errors.New("cluster belongs to source cloudnativepg")
	case p.Source == CloudNativePG && p.Service == "":
		p.Service = p.Cluster + "-rw" // as the operator calls it
	case !objectForm.MatchString(p.Service):
		return fmt.Errorf("service must be written namespace/name, not %q", p.Service)
	case p.Source != Exporter && len(p.Labels) > 0:
		return errors.New("labels belong to source exporter")
	case p.Source != SQL && len(p.DSNs) > 0:
		return errors.New("standbyDSNs belong to source sql")
	}
	switch {
	case p.Standbys < 1:
		return fmt.Errorf("standbys must be at least 1, not %d", p.Standbys)
	case p.MaxBytes < 1:
		return fmt.Errorf("maxBytes must be at least 1, not %d", p.MaxBytes)
	case p.MaxLag <= 0 || p.Settle <= 0:
		return errors.New("maxLag and settle must be more than nothing")
	}
	for name := range p.Labels {
		if !labelForm.MatchString(name) {
			return fmt.Errorf("labels has %q, which is no name of a label", name)
		}
	}
	for _, ref := range p.DSNs {
		if err := ref.Validate(); err != nil {
			return fmt.Errorf("standbyDSNs: %w", err)
		}
	}
	return nil
}

// selector selects the exporter's series.
func (p ReplicationParams) selector() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(p.Labels)) {
		all = append(all, name+"="+strconv.Quote(p.Labels[name]))
	}
	return "{" + strings.Join(all, ",") + "}"
}
