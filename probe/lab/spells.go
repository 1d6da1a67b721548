package lab

import (
	"math/rand/v2"
	"slices"
	"sort"

	"brownout/probe"
)

// spells is a chain of two states that alternate in continuous time, each for an exponential while. It is drawn as far as
// it was asked about, and forgets what lies more than a day back.
type spells struct {
	rng   *rand.Rand
	mean  [2]float64      // of a good and of a bad spell, milliseconds
	edges []probe.Instant // where spells begin, ascending
	bad   bool            // whether the spell of edges[0] is
}

const spellMemory = 24 * 3600_000

// newSpells begins a chain at start that is bad for a share of the time, by spells of a mean length.
func newSpells(seed dice, start probe.Instant, share float64, meanBad float64) *spells {
	if share <= 0 {
		return nil
	}
	rng := rand.New(rand.NewPCG(uint64(seed), 0))
	s := &spells{rng: rng, mean: [2]float64{meanBad * (1 - share) / share, meanBad}, bad: rng.Float64() < share}
	s.edges = []probe.Instant{start}
	return s
}

// at reports whether the chain is bad. A nil one never is.
func (s *spells) at(t probe.Instant) bool {
	if s == nil {
		return false
	}
	s.reach(t)
	k := sort.Search(len(s.edges), func(i int) bool { return s.edges[i] > t }) - 1
	return s.badSpell(k)
}

func (s *spells) badSpell(k int) bool { return s.bad != (k%2 != 0) }

// reach draws until a spell begins after t.
func (s *spells) reach(t probe.Instant) {
	for s.edges[len(s.edges)-1] <= t {
		state := 0
		if s.badSpell(len(s.edges) - 1) {
			state = 1
		}
		s.edges = append(s.edges, s.edges[len(s.edges)-1].Add(1+int64(s.rng.ExpFloat64()*s.mean[state])))
	}
	if len(s.edges) > 4096 {
		n := sort.Search(len(s.edges), func(i int) bool { return s.edges[i] > t-spellMemory }) - 1
		if n = n &^ 1; n > len(s.edges)/2 {
			s.edges = slices.Delete(s.edges, 0, n)
		}
	}
}
