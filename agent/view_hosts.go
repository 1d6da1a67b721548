package agent

import (
	"brownout/probe"
	"brownout/probe/outage"
)

// hostMap is the latest that is known of each address, for display: verdicts are the detector's.
type hostMap struct {
	space  probe.Space
	groups []probe.Group
	passes map[probe.Protocol][]latest // by address
	usual  []share
}

// latest is the latest outcome of a service.
type latest uint8

const (
	svcNotAsked latest = iota
	svcSilent
	svcLives
)

// share is how often an address answered lately.
type share struct {
	rounds int
	rate   float64
}

const (
	recentRounds = 8
	usualShare   = 0.5
)

func newHostMap(space probe.Space) *hostMap {
	return &hostMap{space: space, groups: space.Groups(24), passes: map[probe.Protocol][]latest{}, usual: make([]share, space.Len())}
}

// absorb takes over the outcomes of a full round as far as it got. What is not decided in it stays as it was.
func (h *hostMap) absorb(r *probe.Round) {
	for i := range r.Passes {
		p := &r.Passes[i]
		all := h.passes[p.Protocol]
		if all == nil {
			all = make([]latest, h.space.Len())
			h.passes[p.Protocol] = all
		}
		eachOutcome(p, h.space, func(address int, life bool) {
			all[address] = svcSilent
			if life {
				all[address] = svcLives
			}
		})
	}
}

// eachOutcome yields the addresses of a pass that were asked, by their index in space.
func eachOutcome(p *probe.Pass, space probe.Space, yield func(address int, life bool)) {
	same := p.Targets.Equal(space)
	put := func(target int32, life bool) {
		i, ok := int(target), true
		if !same {
			i, ok = space.Index(p.Targets.Addr(int(target)))
		}
		if ok {
			yield(i, life)
		}
	}
	for target := range p.Silent() {
		put(target, false)
	}
	for k := range p.Answers {
		put(p.Answers[k].Target, p.Answers[k].Outcome.Life())
	}
}

// learn takes a round that is over into account of what is usual, but for blocks in trouble.
func (h *hostMap) learn(r *probe.Round, blocks []outage.BlockStatus) {
	asked, lived := make([]bool, h.space.Len()), make([]bool, h.space.Len())
	for i := range r.Passes {
		eachOutcome(&r.Passes[i], h.space, func(address int, life bool) {
			asked[address] = true
			lived[address] = lived[address] || life
		})
	}
	state := map[string]outage.State{}
	for _, b := range blocks {
		state[b.Block] = b.State
	}
	for _, g := range h.groups {
		s, ok := state[g.Prefix.String()]
		if !ok {
			s = state[outage.SpaceBlock]
		}
		for i := g.From; i < g.To && s <= outage.Up; i++ {
			if asked[i] {
				h.usual[i].add(lived[i])
			}
		}
	}
}

func (s *share) add(life bool) {
	s.rounds = min(s.rounds+1, recentRounds)
	target := 0.0
	if life {
		target = 1
	}
	s.rate += (target - s.rate) / float64(s.rounds)
}

// cell is how an address is shown, in order of what prevails where a cell stands for several.
type cell uint8

const (
	cellUnsent  cell = iota
	cellQuiet        // silent, as usual
	cellOne          // answers by one protocol
	cellTwo          // by two
	cellMore         // by three or more
	cellMissing      // silent, though it usually answers
	cellKinds
)

// of is an address's cell.
func (h *hostMap) of(address int) cell {
	c, answered := cellUnsent, 0
	for _, all := range h.passes {
		switch all[address] {
		case svcLives:
			answered++
		case svcSilent:
			c = cellQuiet
		}
	}
	switch {
	case answered > 0:
		return cellOne + cell(min(answered, 3)-1)
	case c == cellQuiet && h.usual[address].rounds > 0 && h.usual[address].rate >= usualShare:
		return cellMissing
	}
	return c
}

// cells is the addresses as cells of size each, and how many addresses there are of each kind.
func (h *hostMap) cells(size int) (out []cell, count [cellKinds]int) {
	out = make([]cell, (h.space.Len()+size-1)/size)
	for i := range h.space.Len() {
		c := h.of(i)
		count[c]++
		out[i/size] = max(out[i/size], c)
	}
	return out, count
}
