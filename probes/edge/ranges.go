package edge

import (
	"net/netip"
	"slices"
)

// ranges are the addresses of Cloudflare's edge, as it publishes them at https://www.cloudflare.com/ips/.
var ranges = parse(
	"173.245.48.0/20", "103.21.244.0/22", "103.22.200.0/22", "103.31.4.0/22", "141.101.64.0/18", "108.162.192.0/18", "190.93.240.0/20",
	"188.114.96.0/20", "197.234.240.0/22", "198.41.128.0/17", "162.158.0.0/15", "104.16.0.0/13", "104.24.0.0/14", "172.64.0.0/13", "131.0.72.0/22",
	"2400:cb00::/32", "2606:4700::/32", "2803:f800::/32", "2405:b500::/32", "2405:8100::/32", "2a06:98c0::/29", "2c0f:f248::/32",
)

func parse(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, t := range texts {
		all = append(all, netip.MustParsePrefix(t))
	}
	return all
}

// ofCloudflare reports whether an address belongs to Cloudflare's edge.
func ofCloudflare(a netip.Addr) bool {
	return slices.ContainsFunc(ranges, func(p netip.Prefix) bool { return p.Contains(a.Unmap()) })
}

// shared are the addresses that carriers share among their customers; they are not public.
var shared = netip.MustParsePrefix("100.64.0.0/10")

// public reports whether an address can be that of a host on the internet.
func public(a netip.Addr) bool {
	return a.IsGlobalUnicast() && !a.IsPrivate() && !shared.Contains(a.Unmap())
}
