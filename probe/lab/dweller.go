package lab

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"

	"brownout/probe"
)

// dweller is an inhabitant with its fate.
type dweller struct {
	Inhabitant
	dice      dice
	rng       *rand.Rand
	life      *spells // bad: silent
	path      *spells
	stays     []stay // the addresses of late
	moves     probe.Instant
	renumbers []probe.Instant // when events move it
}

type stay struct {
	from probe.Instant
	addr netip.Addr
}

func newDweller(m *Model, i int, d dice) *dweller {
	h := &dweller{Inhabitant: m.Hosts[i], dice: d, rng: rand.New(rand.NewPCG(uint64(d), 1)), moves: Forever}
	h.stays = []stay{{math.MinInt64, h.Address}}
	if h.Spell > 0 {
		h.life = newSpells(d.with(3), m.Start, 1-h.Availability, float64(h.Spell.Milliseconds()))
	}
	h.path = newSpells(d.with(4), m.Start, m.HostLoss.Share, float64(m.HostLoss.Mean.Milliseconds()))
	if h.Stay > 0 {
		h.moves = m.Start.Add(h.stay())
	}
	for k := range m.Events {
		if e := &m.Events[k]; e.Effect == Renumbers && e.strikes(h.Address) && h.chosen(e) {
			h.renumbers = append(h.renumbers, e.To)
		}
	}
	slices.Sort(h.renumbers)
	return h
}

func (h *dweller) stay() int64 { return 1 + int64(h.rng.ExpFloat64()*float64(h.Stay.Milliseconds())) }

// leaves is when the host leaves its k-th address.
func (h *dweller) leaves(k int) probe.Instant {
	if k+1 < len(h.stays) {
		return h.stays[k+1].from
	}
	return Forever
}

// lives reports whether the host is on, as far as spells and nights say.
func (h *dweller) lives(t probe.Instant) bool { return !h.life.at(t) && !h.sleeps(t) }

// sleeps reports whether it is the host's night.
func (h *dweller) sleeps(t probe.Instant) bool {
	const day = 24 * 3600_000
	const half = 1800_000
	if h.Night == 0 {
		return false
	}
	since := int64(t) - h.Dusk.Milliseconds()
	d := h.dice.with(uint64(floorDiv(since, day)))
	late := int64(d.below(forPhase, half)) - half/2
	early := int64(d.below(forSpell, half)) - half/2
	of := since - floorDiv(since, day)*day
	return of >= late && of < h.Night.Milliseconds()+early
}

// chosen reports whether the host is of the share that an event strikes.
func (h *dweller) chosen(e *Event) bool {
	return h.dice.with(uint64(e.From)).hits(forPhaseLoss, chanceOf(e.Share))
}
