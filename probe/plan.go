package probe

import (
	"container/heap"
	"iter"
	"math/bits"
	"time"
)

// PlanVersion names the arrangement that a Plan of this package computes from a seed; it is stored with exports.
const PlanVersion = 1

// planGroupBits is the block whose addresses a plan spreads evenly: it is fixed, so that a stored seed always gives the
// same times, whatever the blocks that are judged.
const planGroupBits = 24

// Aim is what one protocol of a sweep is aimed at.
type Aim struct {
	Protocol Protocol
	Targets  Space
}

// Plan says when each service, an (aim, target) pair, of a sweep is probed. It is a pure function of its seed, span and
// aims, alike on every machine.
//
// Each /24 (IPv6: /48) of each aim is a group of its own: its n targets stand, in an order permuted by the seed, in n
// slots of equal length, and each group's slots start at a phase of their own. So any slice of the span holds its share
// of every block and protocol, and the gaps between expected replies are short. The order within a group is a Feistel
// permutation with cycle walking (Black & Rogaway, CT-RSA 2002).
type Plan struct {
	span   time.Duration
	groups []planGroup
	first  []int // per aim, its first group; one more at the end
	aims   []Aim
}

type planGroup struct {
	aim, from, n int
	hi, lo       uint64 // of its first address
	key          uint64
	phase        uint64 // in 1/65536 of a slot
}

// NewPlan plans one probe for every target of every aim over span; a span of 0 plans an order only: unpaced.
func NewPlan(seed uint64, span time.Duration, aims []Aim) *Plan {
	p := &Plan{span: span, aims: aims}
	for i, aim := range aims {
		p.first = append(p.first, len(p.groups))
		for _, g := range aim.Targets.Groups(planGroupBits) {
			hi, lo := words(g.Prefix.Addr())
			p.groups = append(p.groups, planGroup{aim: i, from: g.From, n: g.To - g.From, hi: hi, lo: lo})
		}
	}
	p.first = append(p.first, len(p.groups))
	p.Reseed(seed)
	return p
}

// Reseed makes it the plan of another seed.
func (p *Plan) Reseed(seed uint64) {
	for i := range p.groups {
		g := &p.groups[i]
		g.key = mix(mix(mix(seed^uint64(p.aims[g.aim].Protocol.Code()))^g.hi) ^ g.lo)
		g.phase = mix(g.key) & 0xffff
	}
}

// Len is the number of probes planned.
func (p *Plan) Len() int {
	n := 0
	for _, aim := range p.aims {
		n += aim.Targets.Len()
	}
	return n
}

// Span is the time over which the plan spreads.
func (p *Plan) Span() time.Duration { return p.span }

// Aims is what the plan was made for. It must not be changed.
func (p *Plan) Aims() []Aim { return p.aims }

// Offset is when, after the start, the given target of the given aim is probed.
func (p *Plan) Offset(aim, target int) time.Duration {
	lo, hi := p.first[aim], p.first[aim+1]-1
	for lo < hi {
		if mid := (lo + hi + 1) / 2; p.groups[mid].from <= target {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	g := &p.groups[lo]
	return g.when(p.span, permute(g.key, uint64(g.n), uint64(target-g.from)))
}

// when is the offset of slot k: span * (k + phase) / n.
func (g *planGroup) when(span time.Duration, k uint64) time.Duration {
	hi, lo := bits.Mul64(uint64(span), k<<16|g.phase)
	q, _ := bits.Div64(hi, lo, uint64(g.n)<<16)
	return time.Duration(q)
}

// Shot is one planned probe.
type Shot struct {
	Aim, Target int
	At          time.Duration // after the start
}

// Shots yields every probe of the plan in order of time. Memory is proportional to the groups, not to the targets.
func (p *Plan) Shots() iter.Seq[Shot] {
	return func(yield func(Shot) bool) {
		w := p.walk()
		for shot, ok := w.next(); ok && yield(shot); shot, ok = w.next() {
		}
	}
}

// walk is a walk through a plan's shots.
type walk struct {
	plan  *Plan
	queue shotQueue // of the groups that have shots left
}

func (p *Plan) walk() *walk {
	w := &walk{p, make(shotQueue, 0, len(p.groups))}
	for i := range p.groups {
		g := &p.groups[i]
		w.queue = append(w.queue, pending{at: g.when(p.span, 0), tie: g.phase, group: i})
	}
	heap.Init(&w.queue)
	return w
}

// next is the next shot; ok is false where there is none.
func (w *walk) next() (shot Shot, ok bool) {
	if len(w.queue) == 0 {
		return shot, false
	}
	next := &w.queue[0]
	g := &w.plan.groups[next.group]
	shot = Shot{Aim: g.aim, Target: g.from + int(unpermute(g.key, uint64(g.n), next.slot)), At: next.at}
	if next.slot++; next.slot == uint64(g.n) {
		heap.Pop(&w.queue)
		return shot, true
	}
	next.at, next.tie = g.when(w.plan.span, next.slot), next.tie+1<<16
	heap.Fix(&w.queue, 0)
	return shot, true
}

// pending is a group's next slot. The tie, slot and phase, interleaves the groups where all times are 0.
type pending struct {
	at    time.Duration
	tie   uint64
	slot  uint64
	group int
}

type shotQueue []pending

func (q shotQueue) Len() int { return len(q) }
func (q shotQueue) Less(i, j int) bool {
	a, b := &q[i], &q[j]
	if a.at != b.at {
		return a.at < b.at
	}
	if a.tie != b.tie {
		return a.tie < b.tie
	}
	return a.group < b.group
}
func (q shotQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *shotQueue) Push(x any)   { *q = append(*q, x.(pending)) }
func (q *shotQueue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

const feistelRounds = 4

// permute maps x in [0, n) to its place in a permutation of [0, n) chosen by key.
func permute(key, n, x uint64) uint64 {
	half := (bits.Len64(n-1) + 1) / 2
	for {
		l, r := x>>half, x&(1<<half-1)
		for i := range uint64(feistelRounds) {
			l, r = r, l^mix(key+i<<56^r)&(1<<half-1)
		}
		if x = l<<half | r; x < n {
			return x
		}
	}
}

// unpermute undoes permute.
func unpermute(key, n, x uint64) uint64 {
	half := (bits.Len64(n-1) + 1) / 2
	for {
		l, r := x>>half, x&(1<<half-1)
		for i := uint64(feistelRounds); i > 0; i-- {
			l, r = r^mix(key+(i-1)<<56^l)&(1<<half-1), l
		}
		if x = l<<half | r; x < n {
			return x
		}
	}
}

// mix is the finaliser of SplitMix64 (Steele, Lea & Flood, OOPSLA 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
