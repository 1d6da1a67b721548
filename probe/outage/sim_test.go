package outage_test

import (
	"cmp"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// world is a simulated space: hosts that answer by some protocols, and what befalls them.
type world struct {
	t       *testing.T
	rng     *rand.Rand
	space   probe.Space
	hosts   []simHost
	every   time.Duration
	core    time.Duration // between core passes; 0: none
	confirm bool          // whether confirmations are made
	aims    []probe.Aim
	down    func(t probe.Instant, a netip.Addr, p probe.Protocol) bool
	loss    func(t probe.Instant, a netip.Addr) float64
	amend   func(r *probe.Round)
}

type simHost struct {
	addr netip.Addr
	by   map[probe.Protocol]float64 // availability
	rtt  uint32                     // microseconds
}

var simStart, _ = probe.ParseInstant("2014-12-21T00:00:00Z")

func newWorld(t *testing.T, seed uint64, protocols ...probe.Protocol) *world {
	space, err := probe.ParseSpace([]string{"198.18.0.0/22"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 1)), space: space, every: 11 * time.Minute, confirm: true}
	if len(protocols) == 0 {
		protocols = []probe.Protocol{probe.ICMP, probe.TCP(80), probe.DNS}
	}
	for _, p := range protocols {
		w.aims = append(w.aims, probe.Aim{Protocol: p, Targets: space})
	}
	return w
}

// like2014 peoples the space as public scans of 2021 describe it: 18 addresses answer ping, 3 of them in the third /24,
// and 29 have an open port.
func (w *world) like2014() *world {
	for i := range 15 {
		a := 0.995
		if i >= 10 {
			a = 0.3 + 0.12*float64(i-10)
		}
		h := simHost{addr: w.space.Addr(5 + 7*i), by: map[probe.Protocol]float64{probe.ICMP: a}, rtt: 200_000}
		if i < 10 {
			h.by[probe.TCP(80)] = 0.995
		}
		w.hosts = append(w.hosts, h)
	}
	for i := range 3 {
		w.hosts = append(w.hosts, simHost{addr: w.space.Addr(512 + 9*i), by: map[probe.Protocol]float64{probe.ICMP: 0.99, probe.TCP(80): 0.99}, rtt: 300_000})
	}
	for i := range 13 {
		w.hosts = append(w.hosts, simHost{addr: w.space.Addr(120 + 5*i), by: map[probe.Protocol]float64{probe.TCP(80): 0.99}, rtt: 250_000})
	}
	w.hosts[0].by[probe.DNS], w.hosts[1].by[probe.DNS] = 0.99, 0.99
	return w
}

// round sweeps aims over span from start.
func (w *world) round(kind probe.Kind, start probe.Instant, span time.Duration, aims []probe.Aim) *probe.Round {
	r := &probe.Round{
		Kind: kind, Start: start, End: start.Add(span.Milliseconds()), Span: span, Seed: w.rng.Uint64(), Seeded: true,
		Vantage: "sim", VantageOK: true, Space: w.space, Timeout: 3 * time.Second, Scale: 1,
	}
	plan := probe.NewPlan(r.Seed, span, aims)
	for i, aim := range aims {
		pass := probe.Pass{Protocol: aim.Protocol, Targets: aim.Targets}
		for k := range w.hosts {
			if a, ok := w.answer(&w.hosts[k], plan, i, start); ok {
				pass.Answers = append(pass.Answers, a)
			}
		}
		sortAnswers(&pass)
		r.Passes = append(r.Passes, pass)
	}
	if w.amend != nil {
		w.amend(r)
	}
	return r
}

func sortAnswers(p *probe.Pass) {
	slices.SortFunc(p.Answers, func(a, b probe.Answer) int { return cmp.Compare(a.Target, b.Target) })
}

func (w *world) answer(h *simHost, plan *probe.Plan, aim int, start probe.Instant) (probe.Answer, bool) {
	p, targets := plan.Aims()[aim].Protocol, plan.Aims()[aim].Targets
	target, ok := targets.Index(h.addr)
	if !ok || w.rng.Float64() >= h.by[p] {
		return probe.Answer{}, false
	}
	offset := plan.Offset(aim, target).Milliseconds()
	sent := start.Add(offset)
	if w.down != nil && w.down(sent, h.addr, p) || w.loss != nil && w.rng.Float64() < w.loss(sent, h.addr) {
		return probe.Answer{}, false
	}
	return probe.Answer{
		Target: int32(target), Outcome: probe.Reply, Offset: int32(offset), First: probe.UnknownOffset,
		RTT: probe.QuantiseRTT(h.rtt + uint32(w.rng.IntN(20_000))),
	}, true
}

// run judges n rounds as an agent does, and returns the history and every line in order of start.
func (w *world) run(n int) (*outage.History, []*probe.Round) {
	d := outage.New(outage.Config{})
	h := &outage.History{}
	var lines []*probe.Round
	put := func(r *probe.Round) {
		lines = append(lines, r)
		h.Until = max(h.Until, r.End)
		if err := d.Put(r); err != nil {
			w.t.Fatal(err)
		}
	}
	const step = 5_000
	coreDue := simStart
	for i := range n {
		start := simStart.Add(int64(i) * w.every.Milliseconds())
		h.Add(d.Advance(start))
		put(w.round(probe.Full, start, w.every, w.aims))
		for t := start.Add(step); t < start.Add(w.every.Milliseconds()); t = t.Add(step) {
			f := d.Advance(t)
			h.Add(f)
			if f.Confirm && w.confirm {
				put(w.round(probe.Confirm, t, time.Second, d.Confirmation(outage.Allowance{ICMP: 32, Others: 32})))
			}
			if w.core > 0 && t >= coreDue && len(d.Core(outage.Allowance{})) > 0 {
				coreDue = t.Add(w.core.Milliseconds())
				put(w.round(probe.Core, t, w.core-10*time.Second, d.Core(outage.Allowance{})))
			}
		}
	}
	h.Add(d.Advance(outage.EndOfTime))
	return h, lines
}

// source replays lines.
type source struct{ lines []*probe.Round }

func (s *source) Next() (*probe.Round, error) {
	if len(s.lines) == 0 {
		return nil, io.EOF
	}
	r := s.lines[0]
	s.lines = s.lines[1:]
	return r, nil
}

func at(t *testing.T, s string) probe.Instant {
	t.Helper()
	v, err := probe.ParseInstant(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// between makes all of prefixes (none: everything) silent from one time to another.
func between(from, to probe.Instant, prefixes ...string) func(probe.Instant, netip.Addr, probe.Protocol) bool {
	return func(t probe.Instant, a netip.Addr, _ probe.Protocol) bool {
		if t < from || t >= to {
			return false
		}
		for _, p := range prefixes {
			if netip.MustParsePrefix(p).Contains(a) {
				return true
			}
		}
		return len(prefixes) == 0
	}
}
