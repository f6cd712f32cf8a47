package edge

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"sync"
	"time"
)

// Certificate says what a simulated host shows of itself. The zero value of a field is what a host in order shows.
type Certificate struct {
	Names  []string      // that it is for; by default the host
	Left   time.Duration // until it ends, from the epoch of the simulation on; by default 60 days
	Issuer string        // organisation that signed it; by default the one that plays Let's Encrypt
	Alone  bool          // signed by itself, in the name of that organisation
	Bare   bool          // shown without the certificate of its issuer
}

const (
	certificateLife = 90 * 24 * time.Hour
	certificateLeft = 60*24*time.Hour + 12*time.Hour
	letsEncrypt     = "Let's Encrypt"
)

// Certificates are what the simulated hosts show of themselves, signed by authorities that live as long as the process: a root that the
// platform's clients are told to trust, and below it issuers that play the real ones.
type Certificates struct {
	epoch time.Time
	key   *ecdsa.PrivateKey
	root  *x509.Certificate

	mu      sync.Mutex
	serial  int64
	issuers map[string]*x509.Certificate
	shown   map[string]*tls.Certificate
}

// NewCertificates makes the root. The epoch is when the simulation began.
func NewCertificates(epoch time.Time) (*Certificates, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key for the simulated platform: %w", err)
	}
	c := &Certificates{epoch: epoch, key: key, issuers: map[string]*x509.Certificate{}, shown: map[string]*tls.Certificate{}}
	from, until := c.always()
	c.root, err = c.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: "simulated root", Organization: []string{"simulated platform"}}, NotBefore: from, NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// always is a time that today is in, whatever the machine's clock says: not every client goes by the simulated one.
func (c *Certificates) always() (from, until time.Time) {
	return c.epoch.AddDate(-1, 0, 0), c.epoch.AddDate(100, 0, 0)
}

// issue signs a certificate, by itself if there is no issuer. One key does for all.
func (c *Certificates) issue(template, issuer *x509.Certificate) (*x509.Certificate, error) {
	c.serial++
	template.SerialNumber = big.NewInt(c.serial)
	if issuer == nil {
		issuer = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, &c.key.PublicKey, c.key)
	if err != nil {
		return nil, fmt.Errorf("signing for the simulated platform: %w", err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("reading the simulated platform's certificate: %w", err)
	}
	return made, nil
}

// issuer returns the authority of an organisation, which the root signed.
func (c *Certificates) issuer(organisation string) (*x509.Certificate, error) {
	if known := c.issuers[organisation]; known != nil {
		return known, nil
	}
	from, until := c.always()
	made, err := c.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: "R11 (simulated)", Organization: []string{organisation}}, NotBefore: from, NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, c.root)
	c.issuers[organisation] = made
	return made, err
}

// Set changes what a host shows.
func (c *Certificates) Set(host string, what Certificate) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.set(host, what)
}

func (c *Certificates) set(host string, what Certificate) error {
	if what.Left == 0 {
		what.Left = certificateLeft
	}
	until := c.epoch.Add(what.Left)
	return c.show(host, what, until.Add(-certificateLife), until)
}

func (c *Certificates) show(host string, what Certificate, from, until time.Time) error {
	if what.Names == nil {
		what.Names = []string{host}
	}
	if what.Issuer == "" {
		what.Issuer = letsEncrypt
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: what.Names[0]}, DNSNames: what.Names, NotBefore: from, NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if what.Alone {
		template.Subject.Organization = []string{what.Issuer}
		leaf, err := c.issue(template, nil)
		if err != nil {
			return err
		}
		c.shown[host] = &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: c.key, Leaf: leaf}
		return nil
	}
	issuer, err := c.issuer(what.Issuer)
	if err != nil {
		return err
	}
	leaf, err := c.issue(template, issuer)
	if err != nil {
		return err
	}
	chain := [][]byte{leaf.Raw, issuer.Raw}
	if what.Bare {
		chain = chain[:1]
	}
	c.shown[host] = &tls.Certificate{Certificate: chain, PrivateKey: c.key, Leaf: leaf}
	return nil
}

// Program lets a host of the platform's programs show a certificate that outlives the clocks.
func (c *Certificates) Program(host string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	from, until := c.always()
	return c.show(host, Certificate{Issuer: "simulated platform"}, from, until)
}

// Get is what a client is shown that asks for a host by name.
func (c *Certificates) Get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shown[hello.ServerName] == nil {
		if err := c.set(hello.ServerName, Certificate{}); err != nil {
			return nil, err
		}
	}
	return c.shown[hello.ServerName], nil
}

// Roots are what clients trust.
func (c *Certificates) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.root)
	return pool
}

// PEM is the root as a file would hold it.
func (c *Certificates) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.root.Raw})
}
