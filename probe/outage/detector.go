package outage

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"

	"brownout/probe"
)

// EndOfTime advances a detector over everything it was given.
const EndOfTime = probe.Instant(math.MaxInt64)

// Detector judges rounds. It is not safe for concurrent use.
type Detector struct {
	memory
	space    probe.Space
	lines    []*line
	services map[serviceKey]int32
	hosts    map[netip.Addr]int32
	areas    map[netip.Prefix]int32
	findings Findings
	ahead    ahead
}

// memory is what a Detector must not forget between two runs. Its fields are exported for encoding/gob.
type memory struct {
	Prefixes  []netip.Prefix // of the space
	Added     []addition     // to it of late, the latest last
	BlockBits int
	Judged    probe.Instant // everything seen before has been judged
	Distrust  bool          // rounds came whose seeds belong to another plan

	Hosts     []host
	Services  []service
	Areas     []area // the blocks' first, in their order
	Parts     []block
	Protocols []protocol

	Starts         []probe.Instant // of the last full rounds, oldest first
	Asked          []asked         // in the last of them, by each of its lines' vantages and protocols
	Learned        probe.Instant   // start of the last that was learned from
	MedianGap      int64           // milliseconds from one of them to the next; 0: not known yet
	LearnedGap     int64           // the same as of when the counts were last worked out, and the timeout in milliseconds
	LearnedTimeout int64
	Covered        probe.Instant // the end of what was observed
	Unseen         []Unseen      // the latest times of which we know nothing
	Relit          probe.Instant // when the space was last total no more, and with it the blocks that were for that alone
	Blind          int           // windows under way in which our own sight is bad
	Sighted        probe.Instant // when something was last seen that was sent in none of them
	Path           path
	Loads          []load        // what was sent of late
	Delay          int64         // microseconds: by how much replies were slower of late than their fastest
	Vantages       []vantageSeen // of late, the latest last
	FastRTT        uint32        // microseconds: of the fastest service with a history
	MiddleboxAt    probe.Instant // when a reply last came faster than the path allows
	TooFast        int           // such replies in the full round under way
	MiddleboxSince probe.Instant // when they began to
	Boxed          []netip.Addr  // for whom they came

	Unverified bool  // of the line that began last: the vantage has too few references
	TimeoutMS  int64 // of the same
	Slack      int64 // of the line that ended last, milliseconds
}

// protocol is what is remembered of one.
type protocol struct {
	Code   uint32
	N      int64  // full rounds, forgotten like a service's
	Active bool   // in the latest full rounds
	Missed misses // that were without it
}

// Unseen is a time in which we did not look, or could not trust what we saw.
type Unseen struct {
	From, To probe.Instant // To is 0 while it lasts
	Reason   string
	Block    int32 // of which block; everywhere: of all
}

const everywhere = -1

type serviceKey struct {
	addr     netip.Addr
	protocol probe.Protocol
}

// New makes a detector that has seen nothing.
func New(cfg Config) *Detector {
	d := &Detector{memory: memory{BlockBits: cmp.Or(cfg.BlockBits, 24)}}
	d.index()
	return d
}

func (d *Detector) index() {
	d.services = make(map[serviceKey]int32, len(d.Services))
	d.hosts = make(map[netip.Addr]int32, len(d.Hosts))
	d.areas = make(map[netip.Prefix]int32, len(d.Areas))
	for i := range d.Parts {
		d.Parts[i].hosts = nil
	}
	for i := range d.Hosts {
		h := &d.Hosts[i]
		d.hosts[h.Addr] = int32(i)
		d.enrol(h.Block, int32(i))
	}
	for i := range d.Services {
		s := &d.Services[i]
		d.services[serviceKey{d.Hosts[s.Host].Addr, s.protocol()}] = int32(i)
	}
	for i := range d.Areas {
		if d.Areas[i].Prefix.IsValid() {
			d.areas[d.Areas[i].Prefix] = int32(i)
		}
	}
}

// enrol makes a host one of its own block's; the space has all.
func (d *Detector) enrol(b, host int32) {
	if b != 0 {
		d.Parts[b].hosts = append(d.Parts[b].hosts, host)
	}
}

// Cursor is the moment before which everything has been judged.
func (d *Detector) Cursor() probe.Instant { return d.Judged }

// Put adds a round, or replaces the round so far, where that has a seed, of the same start, kind, vantage, seed and aims. What was
// judged of it must not change. Rounds come in order of their start.
func (d *Detector) Put(r *probe.Round) error {
	if r.Space.Len() == 0 {
		return fmt.Errorf("round of %v: its space is empty", r.Start)
	}
	l := d.expand(r)
	for l.next < len(l.events) && l.events[l.next].Seen < d.Judged {
		l.next++
	}
	for i, old := range d.lines {
		if sameRound(old.round, r) {
			d.lines[i] = l
			return nil
		}
	}
	d.lines = append(d.lines, l)
	return nil
}

func sameRound(a, b *probe.Round) bool {
	return a.Seeded && b.Seeded && a.Seed == b.Seed && a.Start == b.Start && a.Kind == b.Kind && a.Vantage == b.Vantage &&
		slices.EqualFunc(a.Passes, b.Passes, func(p, q probe.Pass) bool { return p.Protocol == q.Protocol && p.Targets.Equal(q.Targets) })
}

// Advance judges everything seen before until. It does nothing where until is not after the cursor.
func (d *Detector) Advance(until probe.Instant) Findings {
	for {
		l := d.earliest()
		if l == nil || l.events[l.next].Seen >= until {
			break
		}
		e := &l.events[l.next]
		l.next++
		d.judge(l, e)
	}
	d.lines = slices.DeleteFunc(slices.Clone(d.lines), func(l *line) bool {
		return l.judged() && l.events[l.next-1].Seen < until && !slices.ContainsFunc(d.lines, func(o *line) bool { return !o.judged() && besides(o.round, l.round) })
	})
	if until != EndOfTime {
		d.Judged = max(d.Judged, until)
	}
	out := d.findings
	out.Judged = d.Judged
	d.findings = Findings{}
	return out
}

// earliest is the line with the next event.
func (d *Detector) earliest() *line {
	var first *line
	for _, l := range d.lines {
		if l.judged() {
			continue
		}
		if first == nil || l.compare(&l.events[l.next], &first.events[first.next], first) < 0 {
			first = l
		}
	}
	return first
}

func (d *Detector) judge(l *line, e *event) {
	switch e.rank {
	case begins:
		d.begin(l.round)
	case turnsBad:
		d.turnBad(e.Seen)
	case turnsGood:
		d.turnGood(e.Seen)
	case observes:
		d.observe(l.round, e)
	case ends:
		d.end(l.round, e.Seen)
	}
}
