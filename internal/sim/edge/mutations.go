package edge

import (
	"github.com/254carbon/gonogo/internal/sim/cloudflare"
	"github.com/254carbon/gonogo/probes"
)

// Mutation is one change to the edge of a platform that is ready, and what checks must make of it.
type Mutation struct {
	Name     string
	About    string
	Harmless bool        // no check may fail
	Checks   []probes.ID // of the built-in profile that must not pass
	Words    []string    // that the first of Checks must say in its summary
	Unknown  bool        // it must be unknown: the words are those of its error
	Apply    func(e *Edge)
}

// Mutations lists the changes.
func Mutations() []Mutation {
	const grafana, vault = "grafana." + cloudflare.Domain, "vault." + cloudflare.Domain
	var all []Mutation
	add := func(name, about string, unknown bool, words []string, change func(e *Edge)) {
		m := Mutation{Name: "edge-" + name, About: about, Words: words, Unknown: unknown, Apply: change}
		if m.Harmless = len(words) == 0; !m.Harmless {
			m.Checks = []probes.ID{"services-protected"}
		}
		all = append(all, m)
	}
	quirk := func(name, about string, unknown bool, words []string, host string, q Quirk) {
		add(name, about, unknown, words, func(e *Edge) { e.Set(host, q) })
	}
	quirk("open", "Grafana answers although an application covers it.", false, []string{"open", grafana}, grafana, Leaks)
	quirk("other-team", "Vault leads to the login of another team.", false, []string{"login of another team", vault, "somebody-else"}, vault, OtherTeam)
	quirk("forged-header", "What the header says of Vault is signed by somebody else.", false, []string{"forged", vault, "signature"}, vault, ForgedHeader)
	quirk("expired-header", "What the header says of Vault is three days old.", false, []string{"expired", vault, "2025-10-17"}, vault, ExpiredHeader)
	quirk("forged-redirect", "What the way to the login of Vault says is signed by somebody else.", false, []string{"forged", vault}, vault, ForgedMeta)
	quirk("expired-redirect", "The way to the login of Vault is one of yesterday.", false, []string{"expired", vault}, vault, ExpiredMeta)
	quirk("imitated", "Vault itself leads to the login, and Access does not stand before it.", false, []string{"open", vault, "by itself"}, vault, Imitated)
	add("around", "The name of Vault leads past Cloudflare.", false, []string{"open", vault, "not Cloudflare's"}, func(e *Edge) { e.Move(vault, "198.51.100.25") })
	add("half-around", "One of Vault's addresses leads past Cloudflare.", false, []string{"open", vault, "2001:db9::25"},
		func(e *Edge) { e.Move(vault, append(Addresses(), "2001:db9::25")...) })
	add("split", "The name of Vault leads to a private address.", true, []string{"inconclusive", vault, "no public address"}, func(e *Edge) { e.Move(vault, "10.0.0.25") })
	add("no-name", "Nobody knows the name of Vault any more.", true, []string{"down", vault, "resolver"}, func(e *Edge) { e.Move(vault) })
	quirk("challenge", "The edge challenges whoever asks for Vault.", true, []string{"inconclusive", vault, "challenge"}, vault, Challenge)
	quirk("busy", "The edge has been asked too often.", true, []string{"inconclusive", vault, "429"}, vault, Busy)
	quirk("firewall", "A rule of the firewall refuses whoever asks for Vault.", true, []string{"inconclusive", vault, "firewall"}, vault, Firewall)
	quirk("bad-gateway", "Vault is down and Access does not stand before it.", true, []string{"down", vault, "502"}, vault, BadGateway)
	quirk("dead-tunnel", "The tunnel behind Vault is dead and Access does not stand before it.", true, []string{"down", vault, "530", "tunnel is not connected"}, vault, Disconnected)

	quirk("unsigned", "The edge signs nothing for Vault, as older ones did.", false, nil, vault, Unsigned)
	add("one-address", "The edge of Vault has one address, of the newer kind.", false, nil, func(e *Edge) { e.Move(vault, Addresses()[2]) })
	quirk("portal", "The portal, which is none of the nine services, answers.", false, nil, "portal."+cloudflare.Domain, Leaks)
	return all
}
