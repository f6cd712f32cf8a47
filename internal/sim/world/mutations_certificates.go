package world

// certificateMutations change what cert-manager is and has issued.
func certificateMutations() []Mutation {
	const check, dp = "certificates", "data-platform"
	letsEncrypt := func(change func(object)) func(*changer) {
		return func(c *changer) { c.edit(clusterIssuers, "", "letsencrypt-prod", change) }
	}
	grafana := func(change func(object)) func(*changer) {
		return func(c *changer) { c.edit(certificates, "monitoring", "grafana-tls", change) }
	}
	other := func(c *changer, name string, spec object) {
		status := object{"conditions": []any{condition("Ready", "True", "IsReady", "", c.now)}}
		c.add(create("cert-manager.io/v1", "ClusterIssuer", "", name, nil, object{"spec": spec, "status": status}))
	}
	ends := func(c *changer, days int) func(object) {
		return func(o object) { sub(o, "status")["notAfter"] = stamp(c.now.AddDate(0, 0, days)) }
	}
	return []Mutation{
		bad("issuer-is-a-ca", "letsencrypt-prod signs with an authority of its own, and is ready",
			letsEncrypt(func(o object) { o["spec"] = object{"ca": object{"secretName": "root-ca"}} }), fails(check, "letsencrypt-prod", "is ca, not ACME")),
		bad("issuer-is-self-signed", "letsencrypt-prod signs every certificate with its own key",
			letsEncrypt(func(o object) { o["spec"] = object{"selfSigned": object{}} }), fails(check, "letsencrypt-prod", "is selfSigned, not ACME")),
		bad("issuer-is-staging", "letsencrypt-prod asks the staging server, whose certificates nobody trusts",
			letsEncrypt(setField("https://acme-staging-v02.api.letsencrypt.org/directory", "spec", "acme", "server")), fails(check, "letsencrypt-prod", "acme-staging-v02")),
		bad("issuer-not-ready", "the account of letsencrypt-prod could not be registered", func(c *changer) {
			letsEncrypt(func(o object) {
				setCondition(o, condition("Ready", "False", "ErrRegisterACMEAccount", "429 too many registrations", c.now))
			})(c)
		}, fails(check, "letsencrypt-prod", "not ready", "429")),
		bad("issuer-gone", "letsencrypt-prod was deleted", func(c *changer) { c.remove(clusterIssuers, "", "letsencrypt-prod") }, fails(check, "letsencrypt-prod", "does not exist")),
		bad("certificate-self-signed", "the certificate of Grafana is from the issuer that signs for itself", func(c *changer) {
			other(c, "selfsigned", object{"selfSigned": object{}})
			grafana(setField("selfsigned", "spec", "issuerRef", "name"))(c)
		}, fails(check, "grafana", "selfsigned (selfSigned)")),
		bad("certificate-of-a-namespace", "the certificate of Grafana is from an issuer of its namespace with that name",
			grafana(setField("Issuer", "spec", "issuerRef", "kind")), fails(check, "grafana", "from Issuer letsencrypt-prod")),
		bad("certificate-pending", "the certificate of Grafana was never issued", func(c *changer) {
			grafana(func(o object) {
				setCondition(o, condition("Ready", "False", "DoesNotExist", "Issuing certificate as Secret does not exist", c.now))
				delete(sub(o, "status"), "notAfter")
			})(c)
		}, fails(check, "grafana", "not ready", "DoesNotExist")),
		bad("certificate-ends-soon", "the certificate of Grafana was not renewed and has twenty days left", func(c *changer) { grafana(ends(c, 20))(c) },
			warns(check, "grafana", "19 days")),
		bad("certificate-ended", "the certificate of Grafana has ended, and cert-manager has not noticed", func(c *changer) { grafana(ends(c, -1))(c) },
			fails(check, "grafana", "expired on 2025-10-19")),

		harmless("certificate-renewed", "the certificate of Grafana was renewed", func(c *changer) { grafana(ends(c, 89))(c) }),
		harmless("certificate-of-others", "a certificate of a service that is none of the platform's is from the issuer that signs for itself", func(c *changer) {
			other(c, "selfsigned", object{"selfSigned": object{}})
			c.add(create("cert-manager.io/v1", "Certificate", dp, "playground-tls", nil, object{"spec": object{
				"secretName": "playground-tls", "dnsNames": []any{"playground.example.org"}, "issuerRef": object{"kind": "ClusterIssuer", "name": "selfsigned"},
			}}))
		}),
	}
}
