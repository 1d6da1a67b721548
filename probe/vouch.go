package probe

import (
	"errors"
	"net/netip"
	"slices"
)

// MinReferences is the number of networks with references that it takes to judge the vantage.
const MinReferences = 3

var (
	errFewReferences = errors.New("fewer than three references in different networks")
	errNoReference4  = errors.New("no reference of IPv4, and some of the targets are")
	errNoReference6  = errors.New("no reference of IPv6, and some of the targets are")
)

// Vouch says why references could not tell a fault of our own connectivity from an outage of the targets; nil: they could.
// They are to be in three networks (/24, or /48 of IPv6) or more, for one alone may have a fault of its own, and at least one
// of them of each address family of the targets: IPv4 and IPv6 take different ways.
func Vouch(references []netip.Addr, targets Space) error {
	networks := map[netip.Prefix]bool{}
	for _, a := range references {
		size := 24
		if a.Is6() {
			size = IPv6GroupBits
		}
		p, _ := a.Prefix(size) // size fits the family
		networks[p] = true
	}
	switch v4, v6 := targets.families(); {
	case len(networks) < MinReferences:
		return errFewReferences
	case v4 && !slices.ContainsFunc(references, netip.Addr.Is4):
		return errNoReference4
	case v6 && !slices.ContainsFunc(references, netip.Addr.Is6):
		return errNoReference6
	}
	return nil
}

// LoneReference is a reference that is the only one of an address family that targets are of, on which all depends; the zero
// Addr: there is none.
func LoneReference(references []netip.Addr, targets Space) netip.Addr {
	c := VantageConfig{References: references, Targets: targets}
	for _, group := range c.byFamily() {
		if len(group) == 1 && len(references) > 1 {
			return references[group[0]]
		}
	}
	return netip.Addr{}
}

// families reports whether addresses of IPv4 and of IPv6, which come after them, are in the space.
func (s Space) families() (v4, v6 bool) {
	return s.n > 0 && s.Addr(0).Is4(), s.n > 0 && !s.Addr(s.n-1).Is4()
}

// byFamily is the references of each family that the targets are of.
func (c *VantageConfig) byFamily() (groups [][]int) {
	var v4, v6 []int
	for i, a := range c.References {
		if a.Is4() {
			v4 = append(v4, i)
		} else {
			v6 = append(v6, i)
		}
	}
	if is4, is6 := c.Targets.families(); !is4 {
		v4 = nil
	} else if !is6 {
		v6 = nil
	}
	for _, group := range [][]int{v4, v6} {
		if len(group) > 0 {
			groups = append(groups, group)
		}
	}
	return groups
}
