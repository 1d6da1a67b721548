package outage_test

import (
	"net/netip"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/lab"
	"brownout/probe/outage"
)

// bare is a round of ours as somebody writes it who knows who answered, and no more.
func bare(r *probe.Round) *probe.Round {
	c := *r
	c.Seeded, c.Seed = false, 0
	c.Passes = append([]probe.Pass{}, r.Passes...)
	for i := range c.Passes {
		p := &c.Passes[i]
		p.Answers = append([]probe.Answer{}, p.Answers...)
		for k := range p.Answers {
			p.Answers[k].Offset, p.Answers[k].RTT = probe.UnknownOffset, 0
		}
	}
	return &c
}

// retold is what a replay finds of a world that rounds of ten minutes see for so long, as somebody else writes them.
func retold(t *testing.T, m lab.Model, seed uint64, lasts int64, told func(*probe.Round) *probe.Round) *outage.History {
	t.Helper()
	s := lab.NewSimulation(m, seed)
	var lines []*probe.Round
	for at := m.Start; at < m.Start.Add(lasts); at = at.Add(10 * minute) {
		lines = append(lines, told(s.Round(probe.Full, at, 10*time.Minute, s.Aims())))
	}
	h, err := outage.Replay(outage.Config{}, &source{lines})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// Totals of a space whose customers come and go are held by our own rounds too, one in a hundred excepted: who had left by
// himself does not bound when the others came back.
func TestRestlessTotals(t *testing.T) {
	var got measured
	for seed := range uint64(cases(3, 10)) {
		m := lab.Restless(60, 10-seed)
		lasts := totals(&m, 10-seed, 40)
		h := watch(t, lab.NewSimulation(m, 10-seed), lab.Cadence{Round: 10 * time.Minute}, lasts, nil)
		got.compare(t, m.Events, h.Outages(false))
	}
	t.Logf("%d of %d found, %d held, %d others", got.found, got.true, got.held, got.extra)
	if got.found < got.true || 100*got.held < 99*got.true || got.extra > 0 {
		t.Error("want them held, and nothing else")
	}
}

// Half of such a space that goes dark is a partial outage until its hosts are back, and not taken for a move: some are always new.
func TestRestlessPartials(t *testing.T) {
	dark := []netip.Prefix{netip.MustParsePrefix("198.18.1.0/24"), netip.MustParsePrefix("198.18.3.0/24")}
	found, held := 0, 0
	for seed := range uint64(cases(1, 3)) {
		m := lab.Restless(200, seed+1)
		lasts := totals(&m, seed+1, 12)
		for i := range m.Events {
			m.Events[i].Prefixes = dark
		}
		h := watch(t, lab.NewSimulation(m, seed+1), lab.Cadence{Round: 10 * time.Minute}, lasts, nil)
		for i := range m.Events {
			e := &m.Events[i]
			for _, o := range h.Outages(false) {
				if meets(&o, e) && o.Kind == outage.Partial && o.End != nil && len(o.Revisions) == 0 {
					found++
					if inside(o.Start, e.From) && inside(*o.End, e.To) {
						held++
					}
				}
			}
		}
	}
	t.Logf("%d of %d found, %d held", found, 12*cases(1, 3), held)
	if all := 12 * cases(1, 3); found != all || 10*held < 9*all {
		t.Error("want each to be one outage that nothing revises, and nine in ten held")
	}
}

// Rounds of which nothing is known but who answered tell totals of two rounds or more, and nothing that is none: in the
// reference world, and where customers come and go with new addresses. There one in twelve may be missed: of two rounds
// whose send times are unknown, only one is surely silent throughout.
func TestBareRounds(t *testing.T) {
	for name, m := range map[string]lab.Model{"reference": lab.Reference(1), "restless": lab.Restless(60, 1)} {
		var got measured
		lasts := totals(&m, 1, cases(30, 100))
		got.compare(t, m.Events, retold(t, m, 1, lasts, bare).Outages(false))
		t.Logf("%s: %d of %d found, %d held, %d others", name, got.found, got.true, got.held, got.extra)
		if missed := got.true - got.found; 12*missed > got.true || name == "reference" && missed > 0 || got.extra > 1 || got.held < got.found-1 {
			t.Errorf("%s: want them held, and nothing else", name)
		}
	}
}

// Hosts that come and go by the half-hour are no outage of their space, whether or not rounds tell when those answered who did.
func TestRestlessByUntoldRounds(t *testing.T) {
	for name, told := range map[string]func(*probe.Round) *probe.Round{"who": bare, "who and when": unseeded} {
		for seed := range uint64(cases(3, 12)) {
			m := lab.Restless(60, seed)
			for i := range m.Hosts {
				m.Hosts[i].Spell = 20 * time.Minute
			}
			for _, o := range retold(t, m, seed, 6*day, told).Outages(false) {
				t.Errorf("%s, seed %d: %s is %v until %v, rate %v", name, seed, o.ID, o.Kind, o.End, o.ResponseRate)
			}
		}
	}
}

// unseeded is a round of ours as somebody writes it who knows when those were asked who answered, but not the others.
func unseeded(r *probe.Round) *probe.Round {
	c := *r
	c.Seeded, c.Seed = false, 0
	return &c
}
