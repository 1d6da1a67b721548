package main

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"

	"brownout/probe"
	"brownout/probe/lab"
	"brownout/probe/outage"
)

// year is what was seen, what was true, and what we said, in one simulated year.
type year struct {
	seed       uint64
	cadence    lab.Cadence
	cells      []cell
	truths     []truth
	silences   []silence
	scored     probe.Range
	addresses  []netip.Addr // that answered, by index
	sweeps     []sweep
	scouts     []*scout
	ours       judgement
	fullProbes int64
}

// silence is a time in which part of the space was silent for over 90 s, by chance or by what befell it.
type silence struct {
	block    string // whose verdict it excuses, beside a partial one on the space
	from, to probe.Instant
}

// whole is the rounds that peers are shown.
func (y *year) whole() iter.Seq[*sweep] {
	return func(yield func(*sweep) bool) {
		for i := range y.sweeps {
			if y.sweeps[i].whole && !yield(&y.sweeps[i]) {
				return
			}
		}
	}
}

// simulate plays a year.
func simulate(seed uint64, cadence lab.Cadence) (*year, error) {
	m := lab.Reference(seed)
	y := &year{seed: seed, cadence: cadence, cells: cells(cadence.Round)}
	y.truths = schedule(&m, y.cells, seed)
	end := m.Start.Add(yearDays * day)
	y.scored = probe.Range{From: m.Start.Add(quiet), To: end}
	r := newRecorder(y, lab.NewSimulation(m, seed))
	w := &lab.Watcher{
		Simulation: r.sim, Detector: outage.New(outage.Config{}), Cadence: cadence, Line: r.line, Found: r.found,
	}
	if err := w.Run(end); err != nil {
		return nil, fmt.Errorf("simulate the year of seed %d: %w", seed, err)
	}
	w.Finish()
	y.ours = judgement{r.verdicts(), w.Probes.Full + w.Probes.Core + w.Probes.Confirm}
	y.fullProbes = w.Probes.Full
	return y, nil
}

// recorder writes a year down while it is simulated, for the simulation forgets.
type recorder struct {
	*year
	sim     *lab.Simulation
	index   map[netip.Addr]uint16
	history outage.History
	lulls   []*lull
	now     probe.Instant // the simulation has come to
}

func newRecorder(y *year, sim *lab.Simulation) *recorder {
	r := &recorder{year: y, sim: sim, index: map[netip.Addr]uint16{}}
	for _, g := range sim.Model().Space.Groups(24) {
		if slices.ContainsFunc(sim.Model().Hosts, func(h lab.Inhabitant) bool { return g.Prefix.Contains(h.Address) }) {
			r.lulls = append(r.lulls, &lull{block: g.Prefix, next: sim.Model().Start})
			y.scouts = append(y.scouts, newScout(g.Prefix, sim.Model().Start))
		}
	}
	return r
}

// line takes in what was swept.
func (r *recorder) line(round *probe.Round) {
	r.now = max(r.now, round.End)
	if round.Kind != probe.Full {
		return
	}
	s := r.sweep(round)
	r.sweeps = append(r.sweeps, s)
	for _, x := range r.scouts {
		x.scout(r, &s)
	}
	for _, l := range r.lulls {
		r.silences = append(r.silences, l.watch(r.sim, s.end)...)
	}
}

// sweep is a full round in short.
func (r *recorder) sweep(round *probe.Round) sweep {
	s := sweep{start: round.Start, end: round.End, whole: true}
	for i := range round.Passes {
		p := &round.Passes[i]
		s.whole = s.whole && len(p.Unsent) == 0
		for k := range p.Answers {
			if a := &p.Answers[k]; a.Outcome.Life() {
				s.answered = append(s.answered, r.indexOf(p.Targets.Addr(int(a.Target))))
			}
		}
	}
	slices.Sort(s.answered)
	s.answered = slices.Compact(s.answered)
	return s
}

func (r *recorder) indexOf(a netip.Addr) uint16 {
	i, ok := r.index[a]
	if !ok {
		i = uint16(len(r.addresses))
		r.index[a] = i
		r.addresses = append(r.addresses, a)
	}
	return i
}

// found takes in what our detector found, and asks whether the prefixes that it calls dark were, while that is known.
func (r *recorder) found(f outage.Findings) {
	r.history.Add(f)
	for i := range f.Outages {
		o := &f.Outages[i]
		if o.Kind != outage.Partial || o.Status != outage.Ended || len(o.Dark) == 0 {
			continue
		}
		from := max(o.Start.Earliest, r.now.Add(-day/2))
		if r.sim.SilentFor(from, o.End.Latest, o.Dark) > trueSilence {
			r.silences = append(r.silences, silence{o.Block, o.Start.Earliest, o.End.Latest})
		}
	}
}

// verdicts is what our detector declared, of all blocks.
func (r *recorder) verdicts() []verdict {
	var out []verdict
	for _, o := range r.history.Outages(true) {
		v := verdict{block: o.Block, kind: o.Kind, start: o.Start, declared: o.DeclaredAt}
		if o.End != nil {
			v.end, v.ended = *o.End, true
		}
		out = append(out, v)
	}
	return out
}

// trueSilence is how many milliseconds of silence of all of a block are an outage, whatever made it.
const trueSilence = 90_000

// lull finds when a block was silent for long.
type lull struct {
	block netip.Prefix
	next  probe.Instant // to look at
	since probe.Instant // of silence; 0: it lives
}

// watch finds the silences that ended before a moment. It looks twice within any that is long enough.
func (l *lull) watch(sim *lab.Simulation, until probe.Instant) []silence {
	var out []silence
	for ; l.next < until; l.next = l.next.Add(lullStep) {
		switch silent := sim.Silent(l.next, []netip.Prefix{l.block}); {
		case silent && l.since == 0:
			l.since = l.next
		case !silent && l.since != 0:
			if l.isLong(sim) {
				out = append(out, silence{l.block.String(), l.since.Add(-lullStep), l.next})
			}
			l.since = 0
		}
	}
	return out
}

const lullStep = trueSilence / 2

// isLong looks at every second of what ended just now; of what is longer than an hour, at the last one.
func (l *lull) isLong(sim *lab.Simulation) bool {
	from := max(l.since.Add(-lullStep), l.next.Add(-hour))
	return l.next-l.since >= 2*lullStep && sim.SilentFor(from, l.next, []netip.Prefix{l.block}) > trueSilence
}
