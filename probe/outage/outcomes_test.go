package outage_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"brownout/probe"
	"brownout/probe/outage"
)

// answersBetween changes the answers to what was sent from one time to another.
func answersBetween(from, to probe.Instant, change func(a *probe.Answer)) func(r *probe.Round) {
	return func(r *probe.Round) {
		for i := range r.Passes {
			for k := range r.Passes[i].Answers {
				a := &r.Passes[i].Answers[k]
				if sent := r.Start.Add(int64(a.Offset)); sent >= from && sent < to {
					change(a)
				}
			}
		}
	}
}

// A late reply is silence at first, and life when it comes.
func TestLateIsLife(t *testing.T) {
	w := newWorld(t, 7).like2014()
	from, to := at(t, noon), at(t, later)
	w.amend = answersBetween(from, to, func(a *probe.Answer) {
		a.Outcome, a.RTT = probe.Late, probe.QuantiseRTT(5_000_000+a.RTT)
	})
	h, lines := w.run(150)
	sane(t, h, lines)
	for _, o := range h.Outages(true) {
		if o.Kind == outage.Total {
			t.Errorf("all is late, none is dark, but got\n%s", encode(t, h))
		}
	}
}

// An ICMP error is evidence, never life.
func TestUnreachableIsSilence(t *testing.T) {
	w := newWorld(t, 7).like2014()
	from, to := at(t, noon), at(t, later)
	router := netip.MustParseAddr("198.19.0.1")
	w.amend = answersBetween(from, to, func(a *probe.Answer) {
		a.Outcome, a.Type, a.Code, a.From = probe.Unreachable, 3, 1, router
	})
	h, lines := w.run(150)
	sane(t, h, lines)
	o := only(t, h, outage.Total)
	holds(t, "start", o.Start, from)
	holds(t, "end", *o.End, to)
}

// P11: replies by far faster than the addresses have ever been come from a middlebox. They are no life; nor are they
// silence, for who knows what the targets would have said: the state is unknown.
func TestP11Middlebox(t *testing.T) {
	w := newWorld(t, 7).like2014()
	from, to := at(t, noon), at(t, later)
	w.amend = answersBetween(from, to, func(a *probe.Answer) {
		a.RTT = probe.QuantiseRTT(12_000)
	})
	h, lines := w.run(150)
	sane(t, h, lines)
	if list := h.Outages(true); len(list) > 0 {
		t.Errorf("got\n%s", encode(t, h))
	}
	states := outage.Timeline(h.Changes, h.Until)
	if s := states[2]; s.State != outage.Unknown || s.End-s.Start < (to-from)/2 {
		t.Errorf("states %v", states[:4])
	}
}

// foreign turns our rounds into what others may write of theirs.
func foreign(lines []*probe.Round, change func(r *probe.Round, a *probe.Answer)) []*probe.Round {
	var out []*probe.Round
	for _, r := range lines {
		if r.Kind != probe.Full {
			continue
		}
		c := *r
		c.Passes = slices.Clone(r.Passes)
		for i := range c.Passes {
			c.Passes[i].Answers = slices.Clone(c.Passes[i].Answers)
			for k := range c.Passes[i].Answers {
				change(&c, &c.Passes[i].Answers[k])
			}
		}
		out = append(out, &c)
	}
	return out
}

// Data of others is judged whatever they know of their send times; what they do not know widens the intervals.
func TestForeignRounds(t *testing.T) {
	from, to := at(t, "2014-12-21T16:19:00Z"), at(t, "2014-12-21T18:42:00Z") // where rounds begin
	rng := rand.New(rand.NewPCG(1, 1))
	for name, change := range map[string]func(r *probe.Round, a *probe.Answer){
		"no seed":         func(r *probe.Round, a *probe.Answer) { r.Seeded, r.Seed = false, 0 },
		"no send times":   func(r *probe.Round, a *probe.Answer) { r.Seeded, a.Offset = false, probe.UnknownOffset },
		"seed of another": func(r *probe.Round, a *probe.Answer) { r.Seed = 1 },
		"no RTT":          func(r *probe.Round, a *probe.Answer) { a.RTT = 0 },
		"all at one time": func(r *probe.Round, a *probe.Answer) {
			r.Seeded, r.End, r.Span, a.Offset = false, r.Start.Add(2000), 0, rng.Int32N(2000)
		},
		"at an unknown one": func(r *probe.Round, a *probe.Answer) {
			r.Seeded, r.End, r.Span, a.Offset = false, r.Start.Add(2000), 0, probe.UnknownOffset
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 9).like2014()
			w.down = between(from, to)
			_, lines := w.run(150)
			h, err := outage.Replay(outage.Config{}, &source{foreign(lines, change)})
			if err != nil {
				t.Fatal(err)
			}
			o := only(t, h, outage.Total)
			holds(t, "start", o.Start, from)
			holds(t, "end", *o.End, to)
		})
	}
}
