package agent

import (
	"fmt"
	"slices"
	"strings"

	"brownout/probe"
	"brownout/probe/outage"
)

// viewModel is what a live view knows. It follows from the engine's views alone.
type viewModel struct {
	title  string
	space  probe.Space
	now    probe.Instant
	end    probe.Instant // of the timeline; 0: none
	speed  float64       // of the clock against the real one; 0: not known
	blocks []outage.BlockStatus
	round  *probe.Round // the full round under way, or the last
	hosts  *hostMap
	rates  rateStrip
	states stateLine // of the space
	log    viewLog
}

func newViewModel(title string, space probe.Space, from, to probe.Instant) *viewModel {
	return &viewModel{title: title, space: space, now: from, end: to, hosts: newHostMap(space), rates: rateStrip{from: from, to: to}}
}

// take takes in a view. It is cheap: addresses are looked at when a frame is drawn or a round is over.
func (m *viewModel) take(e engineView) {
	m.now = e.Now
	if e.Round != nil {
		if m.round != nil && m.round.Start != e.Round.Start {
			m.hosts.absorb(m.round)
			m.hosts.learn(m.round, m.blocks)
		}
		m.round = e.Round
	}
	if len(e.Blocks) > 0 {
		m.log.notice(e.Now, whole(m.blocks), e.Blocks[0])
		m.blocks = e.Blocks
		m.rates.add(e.Now, e.Blocks[0])
		m.states.begin(e.Blocks[0])
	}
	for _, c := range e.Findings.Changes {
		if c.Block == outage.SpaceBlock {
			m.states.correct(c)
		}
	}
	for _, o := range e.Findings.Outages {
		if o.Block == outage.SpaceBlock {
			m.log.outage(e.Now, o)
		}
	}
}

// whole is the space's status; the zero value where there is none yet.
func whole(blocks []outage.BlockStatus) outage.BlockStatus {
	if len(blocks) == 0 {
		return outage.BlockStatus{}
	}
	return blocks[0]
}

// progress is the share of the timeline that has passed; -1 where it has no end.
func (m *viewModel) progress() float64 {
	if m.end <= m.rates.from {
		return -1
	}
	return min(max(float64(m.now-m.rates.from)/float64(m.end-m.rates.from), 0), 1)
}

// headline is the space's state in words.
func (m *viewModel) headline() string {
	s := whole(m.blocks)
	if len(s.Conditions) == 0 {
		return s.State.String() + ": " + answering(s)
	}
	return s.State.String() + ": " + answering(s) + "; " + conditionWords(s.Conditions)
}

func conditionWords(list []outage.Condition) string {
	words := make([]string, len(list))
	for i, c := range list {
		words[i] = conditionWord(c)
	}
	return strings.Join(words, ", ")
}

// conditionWord is a condition for people.
func conditionWord(c outage.Condition) string {
	switch c {
	case outage.SingleProtocol:
		return "one protocol only"
	case outage.RateLimited:
		return "rate limited"
	case outage.LateReply:
		return "late replies"
	case outage.Dropped:
		return "no longer probed"
	}
	return string(c)
}

// answering says a response rate in words.
func answering(s outage.BlockStatus) string {
	switch {
	case s.Targets == 0:
		return "waiting for the first round"
	case s.Expected == 0:
		return fmt.Sprintf("%d of %s addresses answered the last round", s.Responsive, thousands(s.Targets))
	}
	return fmt.Sprintf("%d of %.1f expected answer (%s)", s.Observed, s.Expected.Float(), percent(s.ResponseRate))
}

// thousands writes 1024 as 1,024.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// stateLine is the states of a block over time, as they stand corrected.
type stateLine struct{ spans []stateSpan }

type stateSpan struct {
	since probe.Instant
	state outage.State
}

// begin says the first state, before there are changes.
func (l *stateLine) begin(s outage.BlockStatus) {
	if len(l.spans) == 0 {
		l.spans = append(l.spans, stateSpan{s.Since, s.State})
	}
}

// correct replaces whatever was said from the change on.
func (l *stateLine) correct(c outage.Change) {
	l.spans = slices.DeleteFunc(l.spans, func(s stateSpan) bool { return s.since >= c.Since })
	l.spans = append(l.spans, stateSpan{c.Since, c.State})
}

// worst is the gravest state of a time: total, partial, unknown, then the others.
func (l *stateLine) worst(from, to probe.Instant) outage.State {
	gravity := [...]int{outage.Unobservable: 0, outage.Learning: 1, outage.Up: 2, outage.Unknown: 3, outage.Partial: 4, outage.Total: 5}
	worst := outage.Unobservable
	for i, s := range l.spans {
		ends := i+1 < len(l.spans) && l.spans[i+1].since <= from
		if s.since < to && !ends && gravity[s.state] > gravity[worst] {
			worst = s.state
		}
	}
	return worst
}
