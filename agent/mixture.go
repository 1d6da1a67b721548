package agent

import (
	"slices"

	"brownout/probe"
	"brownout/probe/outage"
)

// mixture is a source of rounds that notices where they take turns that are not made to be judged together: rounds of several
// vantages, or of several spaces.
type mixture struct {
	outage.RoundSource
	vantages, spaces turns
}

// turns is the names that rounds have had, and how often one came back after another.
type turns struct {
	names []string
	last  string
	backs int
}

func (t *turns) take(name string) {
	if name == t.last && len(t.names) > 0 {
		return
	}
	t.last = name
	if slices.Contains(t.names, name) {
		t.backs++
		return
	}
	t.names = append(t.names, name)
}

// Next is the next round.
func (m *mixture) Next() (*probe.Round, error) {
	r, err := m.RoundSource.Next()
	if err == nil {
		m.vantages.take(r.Vantage)
		m.spaces.take(r.Space.String())
	}
	return r, err
}

// warn says what was noticed. A change that is taken back once is none of turns.
func (m *mixture) warn(a *app) {
	const often = 2
	if m.vantages.backs >= often {
		a.talk.warn("rounds of %d vantages take turns, and are judged as if one had made them all: replay those of each by themselves", len(m.vantages.names))
	}
	if m.spaces.backs >= often {
		a.talk.warn("rounds of %d spaces take turns, and each change ends what was known of the other: "+
			"give all the whole space, and the part that a round is of as the targets of its probes", len(m.spaces.names))
	}
}
