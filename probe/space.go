package probe

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
	"sort"
	"strings"

	"go4.org/netipx"
)

// MaxSpace is the largest number of addresses a Space may hold: a /8, more than the engine is meant to sweep.
const MaxSpace = 1 << 24

// Space is an ordered set of target addresses, IPv4 before IPv6, each with an index from 0. Network and broadcast
// addresses are targets like any other. The zero value is empty. A Space is immutable and safe to share.
type Space struct {
	spans    []span
	prefixes []netip.Prefix
	n        int
}

// span is a run of consecutive addresses of one family.
type span struct {
	hi, lo uint64 // the first address as 128 bits; IPv4 in its 4-in-6 form
	base   int    // its index
	n      int
	v4     bool
}

// ParseSpace builds the space of targets less exclude, each a CIDR or a single address. Overlaps are merged. A CIDR with
// host bits set is an error, for it is more often a typing mistake than meant.
func ParseSpace(targets, exclude []string) (Space, error) {
	var b netipx.IPSetBuilder
	for _, s := range targets {
		p, err := parsePrefix(s)
		if err != nil {
			return Space{}, fmt.Errorf("target %w", err)
		}
		if size := p.Addr().BitLen() - p.Bits(); size > bits.Len(MaxSpace)-1 {
			return Space{}, fmt.Errorf("target %s holds 2^%d addresses, more than the %d that can be swept: name the subnets or addresses that matter", s, size, MaxSpace)
		}
		b.AddPrefix(p)
	}
	for _, s := range exclude {
		p, err := parsePrefix(s)
		if err != nil {
			return Space{}, fmt.Errorf("exclusion %w", err)
		}
		b.RemovePrefix(p)
	}
	set, err := b.IPSet()
	if err != nil {
		return Space{}, fmt.Errorf("build space: %w", err)
	}
	return spaceOf(set)
}

// SpaceOf is the space of prefixes, as ParseSpace without exclusions.
func SpaceOf(prefixes ...netip.Prefix) (Space, error) {
	var b netipx.IPSetBuilder
	for _, p := range prefixes {
		b.AddPrefix(p)
	}
	set, err := b.IPSet()
	if err != nil {
		return Space{}, fmt.Errorf("build space: %w", err)
	}
	return spaceOf(set)
}

// SpaceOfAddrs is the space of single addresses.
func SpaceOfAddrs(addrs ...netip.Addr) (Space, error) {
	var b netipx.IPSetBuilder
	for _, a := range addrs {
		b.Add(a)
	}
	set, err := b.IPSet()
	if err != nil {
		return Space{}, fmt.Errorf("build space: %w", err)
	}
	return spaceOf(set)
}

func parsePrefix(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a CIDR", s)
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a CIDR", s)
	}
	if p.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%q is an IPv4-mapped IPv6 prefix: write it as IPv4", s)
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q has host bits set: write %s", s, p.Masked())
	}
	return p, nil
}

func spaceOf(set *netipx.IPSet) (Space, error) {
	s := Space{prefixes: set.Prefixes()}
	for _, r := range set.Ranges() {
		hi, lo := words(r.From())
		endHi, endLo := words(r.To())
		size, borrow := bits.Sub64(endLo, lo, 0)
		if endHi-hi-borrow != 0 || size >= MaxSpace || s.n+int(size)+1 > MaxSpace {
			return Space{}, fmt.Errorf("the space holds more than the %d addresses that can be swept: name the subnets or addresses that matter", MaxSpace)
		}
		s.spans = append(s.spans, span{hi: hi, lo: lo, base: s.n, n: int(size) + 1, v4: r.From().Is4()})
		s.n += int(size) + 1
	}
	return s, nil
}

func words(a netip.Addr) (hi, lo uint64) {
	b := a.As16()
	return binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
}

// Len is the number of addresses.
func (s Space) Len() int { return s.n }

// Addr is the address of index i, which must be in [0, Len). It does not allocate.
func (s Space) Addr(i int) netip.Addr {
	at := &s.spans[sort.Search(len(s.spans), func(k int) bool { return s.spans[k].base > i })-1]
	lo, carry := bits.Add64(at.lo, uint64(i-at.base), 0)
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], at.hi+carry)
	binary.BigEndian.PutUint64(b[8:], lo)
	a := netip.AddrFrom16(b)
	if at.v4 {
		return a.Unmap()
	}
	return a
}

// Index is the index of a, and whether the space holds it. It does not allocate.
func (s Space) Index(a netip.Addr) (int, bool) {
	hi, lo := words(a)
	k := sort.Search(len(s.spans), func(k int) bool {
		at := &s.spans[k]
		if at.v4 != a.Is4() {
			return a.Is4()
		}
		return at.hi > hi || at.hi == hi && at.lo > lo
	}) - 1
	if k < 0 || s.spans[k].v4 != a.Is4() {
		return 0, false
	}
	at := &s.spans[k]
	offset, borrow := bits.Sub64(lo, at.lo, 0)
	if hi-at.hi-borrow != 0 || offset >= uint64(at.n) {
		return 0, false
	}
	return at.base + int(offset), true
}

// Prefixes is the smallest ordered list of CIDRs that covers exactly the space. It must not be changed.
func (s Space) Prefixes() []netip.Prefix { return s.prefixes }

// Equal reports whether both hold the same addresses.
func (s Space) Equal(t Space) bool { return slices.Equal(s.prefixes, t.prefixes) }

// String is the list of CIDRs, separated by commas.
func (s Space) String() string {
	words := make([]string, len(s.prefixes))
	for i, p := range s.prefixes {
		words[i] = p.String()
	}
	return strings.Join(words, ",")
}

// Group is a run of a space's addresses that share a prefix: indices From to To-1.
type Group struct {
	Prefix   netip.Prefix
	From, To int
}

// IPv6GroupBits is the prefix length by which IPv6 addresses are grouped where IPv4 ones are grouped by v4Bits: a site's
// usual delegation (RFC 6177).
const IPv6GroupBits = 48

// Groups splits the space by prefixes of v4Bits (1-32) for IPv4 and [IPv6GroupBits] for IPv6, in order of address.
func (s Space) Groups(v4Bits int) []Group {
	var groups []Group
	for k := range s.spans {
		at := &s.spans[k]
		for i := at.base; i < at.base+at.n; {
			size := v4Bits
			if !at.v4 {
				size = IPv6GroupBits
			}
			p, _ := s.Addr(i).Prefix(size) // size fits the family
			to := at.base + at.n
			if last, ok := s.Index(netipx.PrefixLastIP(p)); ok {
				to = min(to, last+1)
			}
			if n := len(groups); n > 0 && groups[n-1].Prefix == p {
				groups[n-1].To = to
			} else {
				groups = append(groups, Group{Prefix: p, From: i, To: to})
			}
			i = to
		}
	}
	return groups
}

// Covers reports whether every address of p is in the space.
func (s Space) Covers(p netip.Prefix) bool {
	first, ok := s.Index(p.Addr())
	if !ok {
		return false
	}
	last, ok := s.Index(netipx.PrefixLastIP(p))
	if !ok {
		return false
	}
	hi, lo := words(p.Addr())
	endHi, endLo := words(netipx.PrefixLastIP(p))
	size, borrow := bits.Sub64(endLo, lo, 0)
	return endHi-hi-borrow == 0 && uint64(last-first) == size
}

// subset is the space of the addresses of the given indices.
func (s Space) subset(indices []int32) Space {
	addrs := make([]netip.Addr, len(indices))
	for k, i := range indices {
		addrs[k] = s.Addr(int(i))
	}
	sub, _ := SpaceOfAddrs(addrs...) // a part of a space is small enough to be one
	return sub
}
