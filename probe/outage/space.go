package outage

import (
	"cmp"
	"math"
	"net/netip"
	"slices"

	"brownout/probe"
)

// respace makes s the space that is judged. Services in both the old and the new space keep their history, and so do
// blocks. An outage of those alone that are not in the new one ends with our looking.
func (d *Detector) respace(s probe.Space, at probe.Instant) {
	d.add(s, at)
	d.space, d.Prefixes = s, s.Prefixes()
	if len(d.Parts) == 0 {
		d.addBlock(SpaceBlock, netip.Prefix{}, at)
	}
	targets := map[int32]int{0: s.Len()} // by block
	groups := s.Groups(d.BlockBits)
	for _, g := range groups {
		i, ok := d.areas[g.Prefix]
		if !ok || int(i) >= len(d.Parts) {
			if len(groups) == 1 {
				break // the space is the only block
			}
			i = d.addBlock(g.Prefix.String(), g.Prefix, at)
		}
		targets[i] = g.To - g.From
	}
	for i := range d.Parts {
		d.Parts[i].resize(targets[int32(i)])
	}
	d.partWith(at)
}

// resize says of how many addresses a block is. What so many answered of another number, they do of this one no more.
func (b *block) resize(targets int) {
	if targets != b.Targets {
		b.Targets, b.Nights = targets, nil
	}
}

// addition is what came into the space at a moment.
type addition struct {
	Prefixes []netip.Prefix
	At       probe.Instant
}

// add notes what a new space has that the old has not, and forgets what has long been in it.
func (d *Detector) add(s probe.Space, at probe.Instant) {
	if d.space.Len() == 0 {
		return
	}
	var added []netip.Addr
	for i := range s.Len() {
		if a := s.Addr(i); !d.holds(a) {
			added = append(added, a)
		}
	}
	d.Added = slices.DeleteFunc(d.Added, func(x addition) bool { return x.At < at.Add(-forgetting*d.MedianGap) })
	if space, err := probe.SpaceOfAddrs(added...); err == nil {
		d.Added = append(d.Added, addition{space.Prefixes(), at})
	}
}

// sinceAdded is the rounds, as a service counts them, since an address came into the space, if that is not long ago.
func (d *Detector) sinceAdded(a netip.Addr, at probe.Instant) int64 {
	for i := len(d.Added) - 1; i >= 0; i-- {
		if x := &d.Added[i]; inAny(x.Prefixes, a) {
			return int64(at-x.At) / max(d.MedianGap, 1) * counted
		}
	}
	return math.MaxInt64
}

// addBlock makes a block and its area of the same index, moving other areas up. One of the same prefix, as there is where the
// space was the only block, becomes the block's: there is no other beside it.
func (d *Detector) addBlock(name string, p netip.Prefix, at probe.Instant) int32 {
	i := int32(len(d.Parts))
	d.Parts = append(d.Parts, block{Name: name, Prefix: p, Index: i, Since: at})
	own := area{Prefix: p}
	if k, ok := d.areas[p]; ok {
		own = d.Areas[k]
		d.Areas = slices.Delete(d.Areas, int(k), int(k)+1)
	}
	d.Areas = slices.Insert(d.Areas, int(i), own)
	for k := range d.Hosts {
		h := &d.Hosts[k]
		if p.IsValid() && p.Contains(h.Addr) {
			h.Block = i
		}
	}
	d.index()
	for k := range d.Hosts {
		d.place(int32(k))
	}
	d.tell(&d.Parts[i], Learning, at, at, "")
	return i
}

// blockOf is the index of an address's own block; 0 where the space is the only one.
func (d *Detector) blockOf(a netip.Addr) int32 {
	size := d.BlockBits
	if a.Is6() {
		size = probe.IPv6GroupBits
	}
	p, err := a.Prefix(size)
	if err != nil {
		return 0
	}
	if i, ok := d.areas[p]; ok && int(i) < len(d.Parts) {
		return i
	}
	return 0
}

// Usual reports whether a service usually answers: its availability is at least 0.5.
func (d *Detector) Usual(a netip.Addr, p probe.Protocol) bool {
	i, ok := d.services[serviceKey{a, p}]
	return ok && d.Services[i].Reliable && d.Services[i].Mean >= million/2
}

// UsualServices is the services that usually answer, ordered by protocol.
func (d *Detector) UsualServices() []probe.Aim { return d.aims(d.byAvailability(million / 2)) }

// Allowance is how many services of a /24 (IPv6: /48) may be asked in one pass; 0: all.
type Allowance struct {
	ICMP   int
	Others int // TCP and DNS together
}

// Core is the services by which the space is watched between rounds: the usual ones or, if they are fewer than 10, the
// most available, up to 64; of each /24 as many as are allowed, first the best of every address. It is ordered by
// protocol; empty before anything was learned.
func (d *Detector) Core(per24 Allowance) []probe.Aim {
	const few, most = 10, 64
	usual := d.byAvailability(million / 2)
	if len(usual) < few {
		usual = d.byAvailability(1)
		usual = usual[:min(len(usual), most)]
	}
	return d.aims(d.within(per24, usual))
}

// Confirmation is what is asked again at once on suspicion: whatever has a baseline, within the allowance.
func (d *Detector) Confirmation(per24 Allowance) []probe.Aim {
	return d.aims(d.within(per24, d.byAvailability(1)))
}

// within keeps of services, the best first, what is allowed: every address's best before any second one.
func (d *Detector) within(per24 Allowance, services []int32) []int32 {
	rank := make(map[int32]int, len(services)) // how many better ones its host has
	better := map[int32]int{}
	for _, i := range services {
		h := d.Services[i].Host
		rank[i] = better[h]
		better[h]++
	}
	slices.SortStableFunc(services, func(a, b int32) int { return cmp.Compare(rank[a], rank[b]) })
	type bucket struct {
		block netip.Prefix
		icmp  bool
	}
	taken := map[bucket]int{}
	return slices.DeleteFunc(services, func(i int32) bool {
		s := &d.Services[i]
		size, most := 24, per24.Others
		if d.Hosts[s.Host].Addr.Is6() {
			size = probe.IPv6GroupBits
		}
		p, _ := d.Hosts[s.Host].Addr.Prefix(size) // size fits the family
		key := bucket{p, s.protocol().IsICMP()}
		if key.icmp {
			most = per24.ICMP
		}
		taken[key]++
		return most > 0 && taken[key] > most
	})
}

// byAvailability is the services with a baseline and at least the given availability, the best first.
func (d *Detector) byAvailability(least int64) []int32 {
	var out []int32
	for i := range d.Services {
		if s := &d.Services[i]; s.Reliable && s.Mean >= least {
			out = append(out, int32(i))
		}
	}
	slices.SortStableFunc(out, func(a, b int32) int { return cmp.Compare(d.Services[b].Mean, d.Services[a].Mean) })
	return out
}

func (d *Detector) aims(services []int32) []probe.Aim {
	addrs := map[uint32][]netip.Addr{}
	for _, i := range services {
		s := &d.Services[i]
		addrs[s.Code] = append(addrs[s.Code], d.Hosts[s.Host].Addr)
	}
	var out []probe.Aim
	for code, list := range addrs {
		p, _ := probe.ProtocolOf(code) // the code came from a protocol
		targets, err := probe.SpaceOfAddrs(list...)
		if err == nil {
			out = append(out, probe.Aim{Protocol: p, Targets: targets})
		}
	}
	slices.SortFunc(out, func(a, b probe.Aim) int { return a.Protocol.Compare(b.Protocol) })
	return out
}

// Blocks is the state of every block that is probed, the space's first, as of the last observation judged.
func (d *Detector) Blocks() []BlockStatus {
	out := make([]BlockStatus, 0, len(d.Parts))
	for i := range d.Parts {
		if b := &d.Parts[i]; b.probed() {
			out = append(out, d.status(b))
		}
	}
	return out
}

// JudgingLag is by how many milliseconds, whatever a round lasts, what is judged may lag behind what was observed: silence is
// judged once the references, asked every 10 s, vouch for it.
const JudgingLag = 20_000

// BlocksAt is every block's state at now. Where nothing has been judged for so long that it is a gap, that is unknown,
// whatever it was before.
func (d *Detector) BlocksAt(now probe.Instant) []BlockStatus {
	out := d.Blocks()
	if !d.gapBetween(d.Judged.Add(JudgingLag), now) {
		return out
	}
	for i := range out {
		out[i].State, out[i].Since, out[i].Reason = Unknown, d.Judged, reasonGap
	}
	return out
}

func (d *Detector) status(b *block) BlockStatus {
	observed := d.observed(b)
	state, since, reason := d.verdict(b)
	out := BlockStatus{
		Block: b.Name, State: state, Since: since, Reason: reason,
		Expected: Ratio(b.Expected, million), Observed: observed, ResponseRate: Ratio(int64(observed)*million, b.Expected),
		Usual: b.Usual, Responsive: b.Responsive, Targets: b.Targets, Conditions: []Condition{}, Power: d.power(b),
	}
	if u := d.unseenNow(b); u != nil {
		out.State, out.Since, out.Reason = Unknown, u.From, u.Reason
	} else {
		for _, u := range d.unseenOfVerdict(b) { // since then it is known again
			out.Since = max(out.Since, u.To)
		}
	}
	out.Reports = d.reports(b)
	for _, r := range out.Reports {
		out.Conditions = append(out.Conditions, r.Condition)
	}
	return out
}
