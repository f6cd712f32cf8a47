package certificates

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/254carbon/gonogo/probes"
)

func managerResource(plural string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "cert-manager.io", Version: "v1", Resource: plural}
}

// What is read of cert-manager's objects.

type condition struct {
	Seen    int64  `json:"observedGeneration"` // of the object that it is about; 0 where its controller does not say
	Type    string `json:"type"`
	Status  string `json:"status"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

type issuer struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              map[string]any `json:"spec"`
	Status            struct {
		Conditions []condition `json:"conditions"`
	} `json:"status"`
}

type certificate struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		DNSNames   []string `json:"dnsNames"`
		CommonName string   `json:"commonName"`
		IssuerRef  struct {
			Kind string `json:"kind"` // Issuer unless it says otherwise
			Name string `json:"name"`
		} `json:"issuerRef"`
	} `json:"spec"`
	Status struct {
		NotAfter   *metav1.Time `json:"notAfter"`
		Conditions []condition  `json:"conditions"`
	} `json:"status"`
}

// ready says why a thing of a generation is not ready, or nothing if it is.
func ready(conditions []condition, generation int64) string {
	for _, c := range conditions {
		if c.Type != "Ready" {
			continue
		}
		if c.Seen > 0 && c.Seen < generation {
			return "nobody has looked at it since it was changed"
		}
		if c.Status == "True" {
			return ""
		}
		if text := strings.TrimSpace(c.Reason + " " + c.Message); text != "" {
			return probes.Clean(text, 160)
		}
		return c.Status
	}
	return "nobody has looked at it yet"
}

// cluster looks at the issuer, and at the certificates that were issued for the hosts.
func (p *probe) cluster(ctx context.Context) ([]finding, time.Time, error) {
	issuers, err := p.list(ctx, "clusterissuers")
	if err != nil {
		return nil, time.Time{}, err
	}
	certificates, err := p.list(ctx, "certificates")
	if err != nil {
		return nil, time.Time{}, err
	}
	confirmed := issuers.Confirmed
	if certificates.Confirmed.Before(confirmed) {
		confirmed = certificates.Confirmed
	}
	kinds, found, err := p.issuer(issuers)
	if err != nil {
		return nil, confirmed, err
	}
	all := []finding{found}
	for _, o := range certificates.Items {
		c, err := decode[certificate](o)
		if err != nil {
			return nil, confirmed, err
		}
		if host := p.concerns(c); host != "" {
			all = append(all, p.certificate(c, host, kinds, certificates.Request))
		}
	}
	return all, confirmed, nil
}

// list reads a collection of the whole cluster. Without cert-manager's definitions it is empty: then there is no issuer.
func (p *probe) list(ctx context.Context, plural string) (probes.Seen[*unstructured.Unstructured], error) {
	seen, err := p.objects.List(ctx, managerResource(plural), "")
	switch {
	case apierrors.IsNotFound(err):
		if seen.Request.Source == "" {
			seen.Request = probes.Request{Source: "GET /apis/cert-manager.io/v1", Repeat: "kubectl api-resources --api-group=cert-manager.io"}
		}
		return seen, nil
	case err != nil:
		return seen, fmt.Errorf("listing %s: %w", managerResource(plural).GroupResource(), err)
	case seen.Note != "":
		return seen, fmt.Errorf("listing %s: %s", managerResource(plural).GroupResource(), seen.Note)
	}
	return seen, nil
}

// decode reads an object into a local struct; fields that the struct does not have are ignored.
func decode[T any](o *unstructured.Unstructured) (*T, error) {
	into := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, into); err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", strings.ToLower(o.GetKind()), o.GetName(), err)
	}
	return into, nil
}

// issuer judges the declared issuer by what it is, and returns what every issuer is.
func (p *probe) issuer(seen probes.Seen[*unstructured.Unstructured]) (kinds map[string]string, f finding, err error) {
	want := p.params.Cluster
	f = finding{host: "ClusterIssuer " + want.Issuer}
	f.evidence = probes.Evidence{Subject: f.host, Want: "ACME, asks " + want.Server + ", ready", Got: "does not exist"}.From(seen.Request)
	f.wrong = "it does not exist"
	kinds = map[string]string{}
	for _, o := range seen.Items {
		i, err := decode[issuer](o)
		if err != nil {
			return nil, f, err
		}
		kinds[i.Name] = i.kind()
		if i.Name != want.Issuer {
			continue
		}
		server, _, _ := unstructured.NestedString(i.Spec, "acme", "server")
		f.evidence.Got = strings.TrimSpace(i.kind() + " " + probes.Clean(server, 200))
		switch cause := ready(i.Status.Conditions, i.Generation); {
		case i.kind() != "acme":
			f.wrong = fmt.Sprintf("it is %s, not ACME, whatever it is called", i.kind())
		case strings.TrimSuffix(server, "/") != strings.TrimSuffix(want.Server, "/"):
			f.wrong = fmt.Sprintf("it asks %s, not %s", probes.Clean(server, 120), want.Server)
		case cause != "":
			f.wrong = "it is not ready: " + cause
			f.evidence.Got += ", not ready"
		default:
			f.wrong = ""
			f.evidence.Got += ", ready"
		}
	}
	return kinds, f, nil
}

// kind is what an issuer is: acme, ca, selfSigned …
func (i *issuer) kind() string {
	for _, kind := range []string{"selfSigned", "ca", "acme", "vault", "venafi"} {
		if i.Spec[kind] != nil {
			return kind
		}
	}
	return "of no known kind"
}

// concerns returns the host among those that are looked at that a certificate is for, or nothing.
func (p *probe) concerns(c *certificate) string {
	for _, name := range append(slices.Clone(c.Spec.DNSNames), c.Spec.CommonName) {
		for _, host := range p.hosts {
			bare, _, _ := strings.Cut(host, ":")
			_, parent, _ := strings.Cut(bare, ".")
			if strings.EqualFold(name, bare) || name == "*."+parent {
				return bare
			}
		}
	}
	return ""
}

// certificate judges a certificate of the cluster: its issuer, whether it was issued, and how long it lasts.
func (p *probe) certificate(c *certificate, host string, kinds map[string]string, request probes.Request) finding {
	f := finding{host: fmt.Sprintf("Certificate %s/%s of %s", c.Namespace, c.Name, host)}
	f.evidence = probes.Evidence{Subject: f.host, Want: fmt.Sprintf("ready, from ClusterIssuer %s, for %d more days", p.params.Cluster.Issuer, p.params.MinDays)}.From(request)
	ref, by := c.Spec.IssuerRef, cmp.Or(c.Spec.IssuerRef.Kind, "Issuer")+" "+c.Spec.IssuerRef.Name
	if kind := kinds[ref.Name]; kind != "" && ref.Kind == "ClusterIssuer" {
		by += " (" + kind + ")"
	}
	f.evidence.Got = "from " + by
	if c.Status.NotAfter != nil {
		f.until = c.Status.NotAfter.Time
		f.evidence.Got += ", until " + day(f.until)
	}
	switch cause := ready(c.Status.Conditions, c.Generation); {
	case ref.Kind != "ClusterIssuer" || ref.Name != p.params.Cluster.Issuer:
		f.wrong = fmt.Sprintf("it is from %s, not from ClusterIssuer %s", by, p.params.Cluster.Issuer)
	case cause != "":
		f.wrong = "it is not ready: " + cause
	case c.Status.NotAfter == nil:
		f.wrong = "it is called ready without an end"
	default:
		f.wrong, f.short = p.left(f.until)
	}
	return f
}
