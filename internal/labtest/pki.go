package labtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// pki is a small certificate authority with one serving certificate for loopback,
// and the key that signs service account tokens. All are PEM files.
type pki struct {
	caFile, caKeyFile     string
	certFile, keyFile     string
	serviceAccountKeyFile string
	caPEM                 []byte
}

// newPKI makes the authority and its files in dir. The certificates are valid for
// a day, more than any lab lives.
func newPKI(dir string) (*pki, error) {
	p := &pki{
		caFile: filepath.Join(dir, "ca.pem"), caKeyFile: filepath.Join(dir, "ca-key.pem"),
		certFile: filepath.Join(dir, "serving.pem"), keyFile: filepath.Join(dir, "serving-key.pem"),
		serviceAccountKeyFile: filepath.Join(dir, "sa-key.pem"),
	}
	now := time.Now()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "gonogo lab"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	caKey, err := writeKey(p.caKeyFile)
	if err != nil {
		return nil, err
	}
	if p.caPEM, err = writeCert(p.caFile, ca, ca, caKey.Public(), caKey); err != nil {
		return nil, err
	}
	serving := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "kube-apiserver"},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 96, 0, 1)},
	}
	key, err := writeKey(p.keyFile)
	if err != nil {
		return nil, err
	}
	if _, err := writeCert(p.certFile, serving, ca, key.Public(), caKey); err != nil {
		return nil, err
	}
	_, err = writeKey(p.serviceAccountKeyFile)
	return p, err
}

// writeKey makes a private key and its file.
func writeKey(path string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding a key: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return nil, fmt.Errorf("writing a key: %w", err)
	}
	return key, nil
}

// writeCert signs a certificate and writes its file.
func writeCert(path string, cert, issuer *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) ([]byte, error) {
	der, err := x509.CreateCertificate(rand.Reader, cert, issuer, public, signer)
	if err != nil {
		return nil, fmt.Errorf("signing a certificate: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return nil, fmt.Errorf("writing a certificate: %w", err)
	}
	return text, nil
}
