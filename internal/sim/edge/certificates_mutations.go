package edge

import "time"

// CertificateMutation is one change to what a host of a platform that is ready shows of itself. The check certificates must notice it.
type CertificateMutation struct {
	Name     string
	About    string
	Harmless bool
	Warns    bool     // a warning will do
	Words    []string // that the check must say
	Apply    func(c *Certificates) error
}

// CertificateMutations lists the changes.
func CertificateMutations() []CertificateMutation {
	const vault, day = "vault.254carbon.com", 24 * time.Hour
	var all []CertificateMutation
	add := func(name, about string, warns bool, what Certificate, words ...string) {
		all = append(all, CertificateMutation{
			Name: "served-" + name, About: about, Harmless: len(words) == 0, Warns: warns, Words: words,
			Apply: func(c *Certificates) error { return c.Set(vault, what) },
		})
	}
	add("expired", "The chain of Vault ended yesterday.", false, Certificate{Left: -day}, vault, "expired on 2025-10-19")
	add("not-yet", "The chain of Vault is valid from next year on.", false, Certificate{Left: 400 * day}, vault, "not valid before")
	add("three-days", "The chain of Vault has less than three days left.", false, Certificate{Left: 3*day - time.Hour}, vault, "ends in 2 days")
	add("twenty-days", "The chain of Vault has twenty days left.", true, Certificate{Left: 20*day + time.Hour}, vault, "ends in 20 days")
	add("other-host", "Vault shows the certificate of the portal.", false, Certificate{Names: []string{"portal.254carbon.com"}}, vault, "it is for portal.254carbon.com")
	add("self-signed", "Vault shows a certificate that it signed itself, in the name of the issuer.", false, Certificate{Alone: true}, vault, "signed by itself")
	add("other-issuer", "The chain of Vault is from an issuer that is not declared, and trusted.", false, Certificate{Issuer: "Another Authority"}, vault, "signed by Another Authority")
	add("incomplete", "Vault shows its certificate without that of its issuer.", false, Certificate{Bare: true}, vault, "is not served with it")

	add("renewed", "The chain of Vault was renewed.", false, Certificate{Left: 89 * day})
	add("google", "The chain of Vault is from the edge's other issuer.", false, Certificate{Issuer: "Google Trust Services"})
	add("wildcard", "Vault shows a certificate for every name below the domain.", false, Certificate{Names: []string{"254carbon.com", "*.254carbon.com"}})
	return all
}
