package profile

import (
	"net/url"
	"reflect"
	"regexp"
	"slices"

	"github.com/254carbon/gonogo/probes"
)

// Connections says where the platform's systems are and where the credentials for them are kept. What is nil is not configured. A cluster
// is always configured: without a word about it, it is the current context's.
type Connections struct {
	place      `yaml:"-"`
	Kubernetes Kubernetes  `yaml:"kubernetes,omitempty" jsonschema:"description=The cluster; kubectl's habits hold"`
	Prometheus *Prometheus `yaml:"prometheus,omitempty" jsonschema:"description=Prometheus: either service or url"`
	Harbor     *Harbor     `yaml:"harbor,omitempty" jsonschema:"description=The Harbor registry"`
	Cloudflare *Cloudflare `yaml:"cloudflare,omitempty" jsonschema:"description=Cloudflare's API"`
	MinIO      *MinIO      `yaml:"minio,omitempty" jsonschema:"description=The object store"`
	Postgres   *Postgres   `yaml:"postgres,omitempty" jsonschema:"description=The shared PostgreSQL"`
	Checkout   *Checkout   `yaml:"checkout,omitempty" jsonschema:"description=A checkout of the platform's repository\\, for its guides and scripts"`
}

// Kubernetes is the connection to the cluster.
type Kubernetes struct {
	Context  string         `yaml:"context" jsonschema:"description=Context of the kubeconfig; empty for the current one"`
	Evidence *EvidencePlace `yaml:"evidence,omitempty" jsonschema:"description=Where the evidence record is kept"`
}

// EvidencePlace is where the evidence record is kept.
type EvidencePlace struct {
	Namespace string `yaml:"namespace" jsonschema:"required,minLength=1,description=Namespace of its ConfigMap; default if nothing is said"`
}

// EvidenceNamespace is the namespace of the evidence record, empty for the usual one.
func (k Kubernetes) EvidenceNamespace() string {
	if k.Evidence == nil {
		return ""
	}
	return k.Evidence.Namespace
}

// Prometheus is reached either by a Service through the API server, or by a URL.
type Prometheus struct {
	place   `yaml:"-"`
	Service string      `yaml:"service,omitempty" jsonschema:"description=namespace/name:port\\, reached through the API server"`
	URL     string      `yaml:"url,omitempty" jsonschema:"description=Base URL\\, in place of service"`
	Read    *BearerRead `yaml:"read,omitempty" jsonschema:"description=Credential to read with"`
	CA      *CA         `yaml:"ca,omitempty" jsonschema:"description=Certificate authority to trust besides the system's"`
}

// BearerRead is a user name and password, or a token.
type BearerRead struct {
	place    `yaml:"-"`
	Username probes.SecretRef `yaml:"username,omitempty"`
	Password probes.SecretRef `yaml:"password,omitempty"`
	Token    probes.SecretRef `yaml:"token,omitempty"`
}

// Harbor is the connection to a Harbor registry.
type Harbor struct {
	place `yaml:"-"`
	URL   string      `yaml:"url" jsonschema:"required,description=Base URL of the registry host"`
	Read  *Credential `yaml:"read,omitempty" jsonschema:"description=Credential to read with"`
	Write *Credential `yaml:"write,omitempty" jsonschema:"description=Credential of the actions; never resolved in read-only mode"`
	CA    *CA         `yaml:"ca,omitempty" jsonschema:"description=Certificate authority to trust besides the system's"`
}

// Credential is a user name and a password, by reference.
type Credential struct {
	Username probes.SecretRef `yaml:"username" jsonschema:"required"`
	Password probes.SecretRef `yaml:"password" jsonschema:"required"`
}

// Probes returns the credential as probes take it.
func (c Credential) Probes() probes.Credential {
	return probes.Credential{Username: c.Username, Password: c.Password}
}

// Cloudflare is the connection to Cloudflare's API.
type Cloudflare struct {
	place   `yaml:"-"`
	Account Value  `yaml:"account" jsonschema:"required,description=Account id\\, or where it is kept"`
	Read    *Token `yaml:"read,omitempty" jsonschema:"description=Token to read with"`
	Write   *Token `yaml:"write,omitempty" jsonschema:"description=Token of the actions; never resolved in read-only mode"`
	APIURL  string `yaml:"apiURL,omitempty" jsonschema:"description=Base URL of the API; Cloudflare's own by default"`
}

// CloudflareAPI is the default base URL of Cloudflare's API.
const CloudflareAPI = "https://api.cloudflare.com/client/v4"

// Token is a token, by reference.
type Token struct {
	Token probes.SecretRef `yaml:"token" jsonschema:"required"`
}

// MinIO is the connection to an S3 object store.
type MinIO struct {
	place  `yaml:"-"`
	URL    string `yaml:"url" jsonschema:"required,description=Endpoint of the S3 API"`
	Region string `yaml:"region,omitempty" jsonschema:"description=Region that requests are signed for; us-east-1 by default"`
	Read   *Keys  `yaml:"read,omitempty" jsonschema:"description=Keys to read with"`
	Write  *Keys  `yaml:"write,omitempty" jsonschema:"description=Keys of the actions; never resolved in read-only mode"`
	CA     *CA    `yaml:"ca,omitempty" jsonschema:"description=Certificate authority to trust besides the system's"`
}

// Keys are an S3 access key and its secret, by reference.
type Keys struct {
	AccessKey probes.SecretRef `yaml:"accessKey" jsonschema:"required"`
	SecretKey probes.SecretRef `yaml:"secretKey" jsonschema:"required"`
}

// Postgres is the connection to a PostgreSQL server.
type Postgres struct {
	Read DSN `yaml:"read" jsonschema:"required,description=How to connect for reading"`
}

// DSN is a connection string, by reference because it holds a password.
type DSN struct {
	DSN probes.SecretRef `yaml:"dsn" jsonschema:"required"`
}

// Checkout is a directory.
type Checkout struct {
	Path string `yaml:"path" jsonschema:"required,minLength=1,description=Directory; ~ is the home directory"`
}

// CA is a certificate authority.
type CA struct {
	File string `yaml:"file" jsonschema:"required,minLength=1,description=PEM file"`
}

// Has reports whether a connection is configured. Names that are no connection of a profile, as those of probes that need none, are not.
func (c Connections) Has(name string) bool {
	switch name {
	case "kubernetes":
		return true
	case "prometheus":
		return c.Prometheus != nil
	case "harbor":
		return c.Harbor != nil
	case "cloudflare":
		return c.Cloudflare != nil
	case "minio":
		return c.MinIO != nil
	case "postgres":
		return c.Postgres != nil
	case "checkout":
		return c.Checkout != nil
	}
	return false
}

// ConnectionNames lists the connections that a profile may configure.
func ConnectionNames() []string {
	var names []string
	for _, f := range fields(reflect.TypeFor[Connections]()) {
		names = append(names, f.name)
	}
	return names
}

func isConnection(name string) bool { return slices.Contains(ConnectionNames(), name) }

var serviceForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?/[a-z0-9]([a-z0-9-]*[a-z0-9])?:[a-z0-9-]{1,63}$`)

// check reports what types alone cannot say.
func (c *Connections) check(faults *collector) {
	if p := c.Prometheus; p != nil {
		switch {
		case p.Service == "" && p.URL == "":
			faults.add(p.self, `connections.prometheus: neither service nor url; write service: "namespace/name:port" or url: https://…`)
		case p.Service != "" && p.URL != "":
			faults.add(p.of("url"), "connections.prometheus: both service and url; keep one of them")
		case p.Service != "" && !serviceForm.MatchString(p.Service):
			faults.add(p.of("service"), `connections.prometheus.service must be namespace/name:port, like "monitoring/prometheus-operated:9090"`)
		}
		checkURL(faults, p.of("url"), "connections.prometheus.url", p.URL)
		p.Read.check(faults)
	}
	if h := c.Harbor; h != nil {
		checkURL(faults, h.of("url"), "connections.harbor.url", h.URL)
	}
	if f := c.Cloudflare; f != nil {
		checkURL(faults, f.of("apiURL"), "connections.cloudflare.apiURL", f.APIURL)
		if f.APIURL == "" {
			f.APIURL = CloudflareAPI
		}
	}
	if m := c.MinIO; m != nil {
		checkURL(faults, m.of("url"), "connections.minio.url", m.URL)
	}
}

func (r *BearerRead) check(faults *collector) {
	if r == nil {
		return
	}
	token, user := !r.Token.IsZero(), !r.Username.IsZero() || !r.Password.IsZero()
	switch {
	case token && user:
		faults.add(r.self, "connections.prometheus.read: both a token and a user; keep one of them")
	case !token && (r.Username.IsZero() || r.Password.IsZero()):
		faults.add(r.self, "connections.prometheus.read: write username and password, or token")
	}
}

// checkURL reports a base URL that cannot be one. It never shows it: what is wrong with it may be a password in it.
func checkURL(faults *collector, pos Pos, path, raw string) {
	if raw == "" {
		return
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		faults.add(pos, "%s is not a URL; write one like https://host:port/path", path)
	case u.User != nil:
		faults.add(pos, "%s: a URL with user or password in it (its text is not shown here); leave them out, and for the password %s", path, secretPlaces)
	case u.Scheme != "https" && u.Scheme != "http":
		faults.add(pos, "%s must begin with https:// or http://", path)
	case u.Hostname() == "":
		faults.add(pos, "%s names no host; write one like https://host:port/path", path)
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		faults.add(pos, "%s: a base URL has no query and no fragment; write what comes before the ? or #", path)
	}
}
