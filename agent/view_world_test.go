package agent

import (
	"cmp"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// viewWorld makes up the views of an engine: simulated rounds, and verdicts by a script. No detector judges them, so that a
// better one changes no frame.
type viewWorld struct {
	t     testing.TB
	rng   *rand.Rand
	space probe.Space
	hosts []viewHost
	last  probe.Instant // the latest view
}

type viewHost struct {
	addr netip.Addr
	rate float64
	by   []probe.Protocol
}

const viewRound = 11 * 60_000

var viewStart = instantAt("2014-12-22T06:00:00Z")

func instantAt(s string) probe.Instant {
	t, err := probe.ParseInstant(s)
	if err != nil {
		panic(err)
	}
	return t
}

// newViewWorld peoples a space as DESIGN's reference world: most hosts in the first /24, some in the third.
func newViewWorld(t testing.TB, space string) *viewWorld {
	s, err := probe.ParseSpace([]string{space}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &viewWorld{t: t, rng: rand.New(rand.NewPCG(1, 2)), space: s, last: viewStart - 1}
	add := func(index int, rate float64, by ...probe.Protocol) {
		w.hosts = append(w.hosts, viewHost{s.Addr(index % s.Len()), rate, by})
	}
	for i := range 13 {
		add(3+5*i, 0.995, probe.ICMP, probe.TCP(80))
		add(70+7*i, 0.99, probe.TCP(80))
	}
	for i := range 5 {
		add(160+9*i, 0.3+0.12*float64(i), probe.ICMP)
		add(513+11*i, 0.99, probe.ICMP, probe.TCP(80), probe.DNS)
	}
	return w
}

// viewOutage is an outage of the script: of the first /24, or of everything.
type viewOutage struct {
	kind                      outage.State
	from, declared, to, ended probe.Instant
}

var viewScript = []viewOutage{
	{outage.Partial, instantAt("2014-12-22T10:34:00Z"), instantAt("2014-12-22T10:35:20Z"), instantAt("2014-12-22T10:41:30Z"), instantAt("2014-12-22T10:42:20Z")},
	{outage.Partial, instantAt("2014-12-22T14:22:50Z"), instantAt("2014-12-22T14:24:10Z"), instantAt("2014-12-22T14:30:10Z"), instantAt("2014-12-22T14:31:20Z")},
	{outage.Total, instantAt("2014-12-22T16:15:00Z"), instantAt("2014-12-22T16:16:20Z"), instantAt("2014-12-23T01:46:00Z"), instantAt("2014-12-23T01:47:10Z")},
}

func (o viewOutage) strikes(a netip.Addr) bool { return o.kind == outage.Total || a.As4()[2]%4 == 0 }

func dark(t probe.Instant, a netip.Addr) bool {
	return slices.ContainsFunc(viewScript, func(o viewOutage) bool { return o.strikes(a) && t >= o.from && t < o.to })
}

// sweep is a full round as it is known at a time.
func (w *viewWorld) sweep(r *probe.Round, now probe.Instant) *probe.Round {
	out, plan := *r, r.Plan()
	out.Passes = nil
	late := int64(now-r.Start) - r.TimeoutMS()
	for i, p := range r.Passes {
		p.Answers = slices.DeleteFunc(slices.Clone(p.Answers), func(a probe.Answer) bool { return int64(a.Offset) > late })
		for k := range p.Targets.Len() {
			if plan.Offset(i, k).Milliseconds() > late {
				p.Unsent = append(p.Unsent, int32(k))
			}
		}
		out.Passes = append(out.Passes, p)
	}
	return &out
}

// round is a whole full round.
func (w *viewWorld) round(start probe.Instant) *probe.Round {
	var aims []probe.Aim
	for _, p := range []probe.Protocol{probe.ICMP, probe.TCP(80), probe.DNS} {
		aims = append(aims, probe.Aim{Protocol: p, Targets: w.space})
	}
	r := &probe.Round{
		Start: start, End: start.Add(viewRound), Span: viewRound * time.Millisecond, Seed: w.rng.Uint64(), Seeded: true,
		Vantage: "sim", VantageOK: true, Space: w.space, Timeout: 3 * time.Second, Scale: 1,
	}
	plan := probe.NewPlan(r.Seed, r.Span, aims)
	for i, aim := range aims {
		p := probe.Pass{Protocol: aim.Protocol, Targets: aim.Targets}
		for _, h := range w.hosts {
			target, _ := aim.Targets.Index(h.addr)
			offset := plan.Offset(i, target).Milliseconds()
			if slices.Contains(h.by, aim.Protocol) && w.rng.Float64() < h.rate && !dark(start.Add(offset), h.addr) {
				p.Answers = append(p.Answers, probe.Answer{Target: int32(target), Outcome: probe.Reply, Offset: int32(offset), First: probe.UnknownOffset, RTT: 200_000})
			}
		}
		slices.SortFunc(p.Answers, func(a, b probe.Answer) int { return cmp.Compare(a.Target, b.Target) })
		p.Answers = slices.CompactFunc(p.Answers, func(a, b probe.Answer) bool { return a.Target == b.Target })
		r.Passes = append(r.Passes, p)
	}
	return r
}

// run yields a view every step milliseconds.
func (w *viewWorld) run(to probe.Instant, step int64, yield func(engineView)) {
	var full *probe.Round
	for now := viewStart; now <= to; now = now.Add(step) {
		if full == nil || now >= full.Start.Add(viewRound) {
			full = w.round(now)
		}
		yield(engineView{Now: now, Judged: now.Add(-3_000), Blocks: w.blocks(now), Round: w.sweep(full, now), Findings: w.findings(now)})
		w.last = now
	}
}

// blocks is what the script says of the space and its /24s.
func (w *viewWorld) blocks(now probe.Instant) []outage.BlockStatus {
	out := []outage.BlockStatus{w.block(now, outage.SpaceBlock, w.space.Prefixes()[0])}
	if groups := w.space.Groups(24); len(groups) > 1 {
		for _, g := range groups {
			out = append(out, w.block(now, g.Prefix.String(), g.Prefix))
		}
	}
	return out
}

func (w *viewWorld) block(now probe.Instant, name string, p netip.Prefix) outage.BlockStatus {
	b := outage.BlockStatus{Block: name, State: outage.Up, Since: viewStart.Add(learned), Targets: 1 << (32 - p.Bits())}
	for _, h := range w.hosts {
		if p.Contains(h.addr) {
			b.Usual++
			if !dark(now.Add(-60_000), h.addr) {
				b.Observed++
			}
		}
	}
	b.Expected, b.ResponseRate = outage.Ratio(int64(b.Usual), 1), outage.Ratio(int64(b.Observed), int64(b.Usual))
	for _, o := range viewScript {
		if now >= o.declared && now < o.ended && (name == outage.SpaceBlock || o.strikes(p.Addr())) {
			b.State, b.Since = o.kind, o.from
			if name != outage.SpaceBlock {
				b.State = outage.Total
			}
		}
	}
	switch {
	case now < viewStart.Add(learned):
		b.State, b.Since = outage.Learning, viewStart
	case b.Usual < 3:
		b.State, b.Expected = outage.Unobservable, 0
	}
	if name == outage.SpaceBlock && now >= viewScript[2].declared {
		b.Conditions = []outage.Condition{outage.Unstable}
	}
	return b
}

const learned = 12 * viewRound

// findings is what the script finds between the view before and now.
func (w *viewWorld) findings(now probe.Instant) outage.Findings {
	var f outage.Findings
	say := func(s outage.State, since, said probe.Instant) bool {
		if said <= w.last || said > now {
			return false
		}
		f.Changes = append(f.Changes, outage.Change{Block: outage.SpaceBlock, State: s, Since: since, DeclaredAt: said})
		return true
	}
	say(outage.Up, viewStart.Add(learned), viewStart.Add(learned))
	for _, o := range viewScript {
		start := outage.Interval{Earliest: o.from.Add(-4_000), At: o.from.Add(-1_000), Latest: o.from.Add(11_000)}
		out := outage.Outage{ID: "space-" + start.Latest.String(), Block: outage.SpaceBlock, Kind: o.kind, Status: outage.Ongoing, Start: start}
		if say(o.kind, start.At, o.declared) {
			out.Phases = []outage.Phase{{Kind: o.kind, Start: start}}
			f.Outages = append(f.Outages, out)
		}
		end := outage.Interval{Earliest: o.to.Add(-30_000), At: o.to.Add(2_000), Latest: o.to.Add(9_000)}
		if say(outage.Up, end.At, o.ended) {
			out.Status, out.End, out.Phases = outage.Ended, &end, []outage.Phase{{Kind: o.kind, Start: start, End: &end}}
			f.Outages = append(f.Outages, out)
		}
	}
	return f
}
