package web

import (
	"iter"
	"net/netip"
	"sync"

	"brownout/probe"
	"brownout/probe/outage"
)

// tally counts, for each full round, block and protocol, the addresses that answered: what summaries leave out. It is
// worked out from the rounds a UTC day at a time when a day is first asked for, and kept while the handler lives: about
// 20 bytes a round and block.
type tally struct {
	mu   sync.Mutex
	days map[probe.Instant]*tallyDay
}

// tallyDay is the full rounds that start in a day, by start.
type tallyDay struct {
	over   bool // nothing can be added to it any more
	starts []probe.Instant
	counts map[tallyKey][]int32 // as long as starts; notAsked where the protocol was not probed
}

type tallyKey struct {
	block    string
	protocol probe.Protocol
}

const (
	dayMS    = 24 * 3600_000
	notAsked = -1
)

// dayOf is the midnight at or before t.
func dayOf(t probe.Instant) probe.Instant { return t - t%dayMS }

// day is a day's counts; judged is how far the store has got. The rounds of a day that is not over are read again.
func (t *tally) day(at, judged probe.Instant, bits int, rounds func(from, to probe.Instant) iter.Seq2[*probe.Round, error]) (*tallyDay, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if d := t.days[at]; d != nil && d.over {
		return d, nil
	}
	d := &tallyDay{over: judged >= at.Add(2*dayMS), counts: map[tallyKey][]int32{}} // a round lasts a day at most
	for r, err := range rounds(at, at.Add(dayMS)) {
		if err != nil {
			return nil, err
		}
		if r.Kind == probe.Full {
			d.add(r, bits)
		}
	}
	if t.days == nil {
		t.days = map[probe.Instant]*tallyDay{}
	}
	t.days[at] = d
	return d, nil
}

// add counts a round, in the space and in every block.
func (d *tallyDay) add(r *probe.Round, bits int) {
	d.starts = append(d.starts, r.Start)
	for i := range r.Passes {
		p := &r.Passes[i]
		found := map[string]int32{outage.SpaceBlock: 0}
		for _, g := range p.Targets.Groups(bits) {
			found[g.Prefix.String()] = 0
		}
		for k := range p.Answers {
			if a := &p.Answers[k]; a.Outcome.Life() {
				found[outage.SpaceBlock]++
				found[groupOf(p.Targets.Addr(int(a.Target)), bits).String()]++
			}
		}
		for block, n := range found {
			d.put(tallyKey{block, p.Protocol}, n)
		}
	}
	for k := range d.counts {
		d.pad(k, len(d.starts))
	}
}

func (d *tallyDay) put(k tallyKey, n int32) {
	d.pad(k, len(d.starts)-1)
	d.counts[k] = append(d.counts[k], n)
}

func (d *tallyDay) pad(k tallyKey, to int) {
	for len(d.counts[k]) < to {
		d.counts[k] = append(d.counts[k], notAsked)
	}
}

// groupOf is the prefix of the block that holds an address, as [probe.Space.Groups] makes them.
func groupOf(a netip.Addr, bits int) netip.Prefix {
	if a.Is6() {
		bits = probe.IPv6GroupBits
	}
	p, _ := a.Prefix(bits) // the length fits the family
	return p
}
