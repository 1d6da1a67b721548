package agent

import (
	"slices"

	"brownout/probe"
	"brownout/probe/outage"
)

// mixture is a source of rounds that notices where they take turns that are not made to be judged together: rounds of several
// vantages, or of several spaces. And it counts them.
type mixture struct {
	outage.RoundSource
	vantages, spaces turns
	rounds, answers  int
	last             probe.Instant // start of a full round
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
		m.count(r)
	}
	return r, err
}

func (m *mixture) count(r *probe.Round) {
	if r.Kind == probe.Full && (r.Start != m.last || m.rounds == 0) {
		m.last = r.Start
		m.rounds++
	}
	for i := range r.Passes {
		m.answers += len(r.Passes[i].Answers)
	}
}

// warn says what was noticed, of rounds and of what was found of them. A change that is taken back once is none of turns.
func (m *mixture) warn(a *app, found *outage.History) {
	const often = 2
	if m.answers == 0 {
		a.talk.warn("nobody answers in any of the %s: who did belongs into the `answers` of its `probes`", countOf(m.rounds, "round", "rounds"))
	}
	if n := gaps(found); n >= mostGaps && m.rounds <= mostGaps*n {
		a.talk.warn("%d times in %d rounds the next is so long in coming that the time between is a gap, and unknown. Where rounds come in bursts, "+
			"give the first of each as the round, and the others the kind `core` and their targets", n, m.rounds)
	}
	if m.vantages.backs >= often {
		a.talk.warn("rounds of %d vantages take turns, and are judged as if one had made them all: replay those of each by themselves", len(m.vantages.names))
	}
	if m.spaces.backs >= often {
		a.talk.warn("rounds of %d spaces take turns, and each change ends what was known of the other: "+
			"give all the whole space, and the part that a round is of as the targets of its probes", len(m.spaces.names))
	}
}

// mostGaps is how many gaps there may be, and after at least how many rounds each, for rounds to come as regularly as rounds do.
const mostGaps = 24

// gaps counts the times that are unknown because nobody looked.
func gaps(found *outage.History) int {
	since := map[probe.Instant]bool{}
	for _, c := range found.Changes {
		if c.Block == outage.SpaceBlock && c.State == outage.Unknown && c.Reason == "gap" {
			since[c.Since] = true
		}
	}
	return len(since)
}
