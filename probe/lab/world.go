package lab

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"sort"

	"brownout/probe"
)

// World is a scenario made ready to answer. It holds no state that changes: any goroutine may ask it anything, in any
// order of time.
type World struct {
	scenario *Scenario
	space    probe.Space
	seed     dice
	hosts    []resident
	homes    []int32   // by index in the space: place in hosts, -1 for none
	segments []segment // by start; the first starts before all time
	noise    chances
}

// resident is a host with its probabilities as integers.
type resident struct {
	Host
	alive   chance
	spell   int64 // ms
	phase   int64 // ms: spells of hosts do not begin together
	destiny dice
}

// segment is a stretch of time in which the same phases hold.
type segment struct {
	from   probe.Instant
	phases []phase
}

// phase is a Phase with its probability as an integer.
type phase struct {
	*Phase
	loss chance
}

type chances struct {
	loss, duplicate, late, corruption, forgery, unreachable chance
}

// NewWorld makes a scenario ready. The scenario must not be changed afterwards.
func NewWorld(s *Scenario) (*World, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	w := &World{scenario: s, space: s.Space, seed: dice(mix(s.Seed)), homes: make([]int32, s.Space.Len())}
	for i := range w.homes {
		w.homes[i] = -1
	}
	for i, h := range s.Hosts {
		at, _ := s.Space.Index(h.Address) // checked
		w.homes[at] = int32(i)
		destiny := w.seed.with(low(h.Address))
		spell := h.Spell.Milliseconds()
		w.hosts = append(w.hosts, resident{Host: h, alive: chanceOf(h.Availability), spell: spell, destiny: destiny,
			phase: int64(destiny.below(forPhase, uint64(spell)))})
	}
	w.segments = segmentsOf(s.Timeline)
	n := &s.Noise
	w.noise = chances{loss: chanceOf(n.Loss), duplicate: chanceOf(n.Duplicates), late: chanceOf(n.Late),
		corruption: chanceOf(n.Corrupted), forgery: chanceOf(n.Forged), unreachable: chanceOf(n.Unreachable)}
	return w, nil
}

// Scenario is what the world was made from.
func (w *World) Scenario() *Scenario { return w.scenario }

// segmentsOf cuts time at every start and end of a phase.
func segmentsOf(timeline []Phase) []segment {
	cuts := []probe.Instant{-1 << 63}
	for i := range timeline {
		cuts = append(cuts, timeline[i].From, timeline[i].To)
	}
	slices.Sort(cuts)
	var segments []segment
	for _, from := range slices.Compact(cuts) {
		s := segment{from: from}
		for i := range timeline {
			if p := &timeline[i]; p.From <= from && from < p.To {
				s.phases = append(s.phases, phase{Phase: p, loss: chanceOf(p.Loss)})
			}
		}
		segments = append(segments, s)
	}
	return segments
}

// at is the segment of a time.
func (w *World) at(t probe.Instant) *segment {
	return &w.segments[sort.Search(len(w.segments), func(k int) bool { return w.segments[k].from > t })-1]
}

// uplinkDown reports whether our own side is cut off.
func (s *segment) uplinkDown() bool {
	for i := range s.phases {
		if s.phases[i].State == UplinkDown {
			return true
		}
	}
	return false
}

// dark reports whether nothing reaches an address of the space.
func (s *segment) dark(a netip.Addr) bool {
	for i := range s.phases {
		if p := &s.phases[i]; p.State == Total || p.State == Partial && within(p.Dark, a) {
			return true
		}
	}
	return false
}

// filtered reports whether a protocol does not get through.
func (s *segment) filtered(p probe.Protocol) bool {
	for i := range s.phases {
		if f := &s.phases[i]; f.State == Filtered && (f.AllTCP && p.IsTCP() || f.Protocol == p) {
			return true
		}
	}
	return false
}

// loses reports whether a phase's loss takes the attempt.
func (s *segment) loses(a netip.Addr, d dice) bool {
	for i := range s.phases {
		p := &s.phases[i]
		if p.loss > 0 && (len(p.Within) == 0 || within(p.Within, a)) && d.hits(forPhaseLoss, p.loss) {
			return true
		}
	}
	return false
}

func within(prefixes []netip.Prefix, a netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// lives reports whether the host is in a living spell.
func (h *resident) lives(t probe.Instant) bool {
	spell := floorDiv(int64(t)+h.phase, h.spell)
	return h.destiny.with(uint64(spell)).hits(forSpell, h.alive)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// low is an address as a number: the last 8 bytes.
func low(a netip.Addr) uint64 {
	b := a.As16()
	return binary.BigEndian.Uint64(b[8:])
}
