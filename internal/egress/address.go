package egress

import (
	"net/netip"

	"parley/internal/fault"
)

// special is a range that is not the public internet.
type special struct {
	prefix netip.Prefix
	name   string
}

// specials are the IANA special-purpose registries, and the addresses behind
// which clouds keep their metadata. Narrower ranges stand first, for the name.
var specials = func() (list []special) {
	for _, s := range [][2]string{
		{"0.0.0.0/8", "unspecified"},
		{"10.0.0.0/8", "private"},
		{"100.64.0.0/10", "carrier-grade NAT"},
		{"127.0.0.0/8", "loopback"},
		{"168.63.129.16/32", "cloud metadata"},
		{"169.254.0.0/16", "link-local"},
		{"172.16.0.0/12", "private"},
		{"192.0.0.0/24", "protocol assignments"},
		{"192.0.2.0/24", "documentation"},
		{"192.31.196.0/24", "AS112"},
		{"192.52.193.0/24", "AMT relay"},
		{"192.88.99.0/24", "6to4 relay"},
		{"192.168.0.0/16", "private"},
		{"192.175.48.0/24", "AS112"},
		{"198.18.0.0/15", "benchmark"},
		{"198.51.100.0/24", "documentation"},
		{"203.0.113.0/24", "documentation"},
		{"224.0.0.0/4", "multicast"},
		{"255.255.255.255/32", "broadcast"},
		{"240.0.0.0/4", "reserved"},

		{"::/128", "unspecified"},
		{"::1/128", "loopback"},
		{"::ffff:0:0/96", "IPv4-mapped"},
		{"::/96", "IPv4-compatible"},
		{"64:ff9b::/96", "NAT64"},
		{"64:ff9b:1::/48", "NAT64"},
		{"100::/64", "discard"},
		{"2001::/32", "Teredo"},
		{"2001:2::/48", "benchmark"},
		{"2001:10::/28", "ORCHID"},
		{"2001:20::/28", "ORCHID"},
		{"2001::/23", "protocol assignments"},
		{"2001:db8::/32", "documentation"},
		{"2002::/16", "6to4"},
		{"2620:4f:8000::/48", "AS112"},
		{"3fff::/20", "documentation"},
		{"5f00::/16", "segment routing"},
		{"fc00::/7", "private"},
		{"fe80::/10", "link-local"},
		{"fec0::/10", "site-local"},
		{"ff00::/8", "multicast"},
	} {
		list = append(list, special{netip.MustParsePrefix(s[0]), s[1]})
	}
	return list
}()

// global6 is the only part of IPv6 that is given out to the public.
var global6 = netip.MustParsePrefix("2000::/3")

// Check returns nil for an address of the public internet or of an allowed
// range, else a fault that says how the operator can allow it.
func Check(a netip.Addr, allow []netip.Prefix) error {
	if !a.IsValid() {
		return fault.New(fault.Invalid, "the address is not valid").Because("egress")
	}
	bare := a.WithZone("")
	for _, p := range allow {
		if p.Contains(bare) || p.Contains(bare.Unmap()) {
			return nil
		}
	}
	name := kind(bare)
	if name == "" {
		return nil
	}
	return fault.New(fault.Invalid, "the address %s is not public (%s); allow it with --egress-allow", bare, name).
		Because("egress").With("address", bare.String())
}

// kind names the special range an address lies in, or "".
func kind(a netip.Addr) string {
	for _, s := range specials {
		if s.prefix.Contains(a) {
			return s.name
		}
	}
	if a.Is4In6() {
		return "IPv4-mapped"
	}
	if a.Is6() && !global6.Contains(a) {
		return "reserved"
	}
	return ""
}
