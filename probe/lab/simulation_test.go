package lab

import (
	"math"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"brownout/probe"
)

const simulatedDay = 24 * 3600_000

// played is full rounds of eleven minutes for so many days.
func played(m Model, seed uint64, days int) (*Simulation, []*probe.Round) {
	s := NewSimulation(m, seed)
	var rounds []*probe.Round
	for at := m.Start; at < m.Start.Add(int64(days)*simulatedDay); at = at.Add(660_000) {
		rounds = append(rounds, s.Round(probe.Full, at, 11*time.Minute, s.Aims()))
	}
	return s, rounds
}

func lives(rounds []*probe.Round, a netip.Addr) (n int) {
	for _, r := range rounds {
		k, _ := r.Space.Index(a)
		for i := range r.Passes[0].Answers {
			if int(r.Passes[0].Answers[i].Target) == k {
				n++
			}
		}
	}
	return n
}

func alone(h Inhabitant) Model {
	m := Sparse(1, 1)
	h.Address, h.Protocols, h.RTT = m.Hosts[0].Address, []probe.Protocol{probe.ICMP}, 200*time.Millisecond
	m.Hosts = []Inhabitant{h}
	return m
}

func TestSimulationsRepeat(t *testing.T) {
	for name, m := range map[string]Model{"reference": Reference(3), "restless": Restless(40, 3)} {
		_, a := played(m, 7, 3)
		_, b := played(m, 7, 3)
		_, c := played(m, 8, 3)
		if !reflect.DeepEqual(a, b) || reflect.DeepEqual(a, c) {
			t.Errorf("%s: a seed does not make a simulation", name)
		}
	}
}

// What a model says in numbers, a long simulation shows.
func TestSimulationsKeepTheirShares(t *testing.T) {
	host := alone(Inhabitant{Availability: 0.7})
	spells := alone(Inhabitant{Availability: 0.7, Spell: time.Hour})
	night := alone(Inhabitant{Availability: 1, Night: 8 * time.Hour, Dusk: 20 * time.Hour})
	burst := alone(Inhabitant{Availability: 1})
	burst.HostLoss = Burst{Share: 0.1, Mean: time.Minute}
	path := alone(Inhabitant{Availability: 1})
	path.PathLoss = Burst{Share: 0.25, Mean: 3 * time.Second, Loss: 0.8}
	for name, c := range map[string]struct {
		m    Model
		want float64
	}{"draws": {host, 0.7}, "spells": {spells, 0.7}, "nights": {night, 2. / 3}, "host loss": {burst, 0.9}, "path loss": {path, 0.8}} {
		_, rounds := played(c.m, 5, 120)
		if got := float64(lives(rounds, c.m.Hosts[0].Address)) / float64(len(rounds)); math.Abs(got-c.want) > 0.03 {
			t.Errorf("%s: answers %.3f of the time, want %.3f", name, got, c.want)
		}
	}
}

func TestSimulationsStrike(t *testing.T) {
	at := func(d float64) probe.Instant { return ModelStart.Add(int64(d * simulatedDay)) }
	for name, c := range map[string]struct {
		e    Event
		want float64 // share of the second day's life that is left
	}{
		"darkens": {Event{Effect: Darkens}, 0}, "empties": {Event{Effect: Empties, Share: 1}, 0},
		"empties nobody": {Event{Effect: Empties, Share: 0}, 1}, "loses": {Event{Effect: Loses, Share: 0.5}, 0.5},
		"filters": {Event{Effect: Filters, Protocol: probe.ICMP}, 0}, "filters another": {Event{Effect: Filters, Protocol: probe.DNS}, 1},
		"limits": {Event{Effect: Limits, Rate: 0.1}, 0.1 / (256. / 660)}, "cuts us off": {Event{Effect: CutsUsOff}, 0},
		"elsewhere": {Event{Effect: Darkens, Prefixes: []netip.Prefix{netip.MustParsePrefix("198.19.0.0/24")}}, 1},
	} {
		m := alone(Inhabitant{Availability: 1})
		c.e.From, c.e.To = at(1), at(2)
		m.Events = []Event{c.e}
		_, rounds := played(m, 5, 3)
		during := 0
		for _, r := range rounds {
			if r.Start >= at(1) && r.End <= at(2) {
				during += lives([]*probe.Round{r}, m.Hosts[0].Address)
			}
		}
		if got := float64(during) / 130; math.Abs(got-c.want) > 0.12 {
			t.Errorf("%s: %.2f of the life is left, want %.2f", name, got, c.want)
		}
		if after := lives(rounds[len(rounds)-100:], m.Hosts[0].Address); after != 100 {
			t.Errorf("%s: afterwards %d of 100 rounds are answered", name, after)
		}
	}
}

// Hosts that move are found at their new addresses, and nowhere else.
func TestSimulationsMove(t *testing.T) {
	m := alone(Inhabitant{Availability: 1, Stay: 24 * time.Hour})
	s, rounds := played(m, 5, 60)
	moved := 0
	for _, r := range rounds {
		if n := len(r.Passes[0].Answers); n > 2 {
			t.Fatalf("one host answers %d times from %v", n, r.Start)
		}
	}
	for _, h := range s.hosts {
		moved += len(h.stays)
	}
	if moved < 2 || lives(rounds, m.Hosts[0].Address) > len(rounds)/2 {
		t.Errorf("in 60 days a host that stays for one has had %d addresses", moved)
	}
}

// Our own failures look as an agent would record them.
func TestSimulationsFailOnOurSide(t *testing.T) {
	m := Reference(2)
	from := m.Start.Add(simulatedDay)
	for effect, check := range map[Effect]func(r *probe.Round) bool{
		CutsUsOff:   func(r *probe.Round) bool { return len(r.VantageBad) == 1 },
		BlocksSends: func(r *probe.Round) bool { return len(r.Passes[0].Unsent) == 1024 },
		StopsUs:     func(r *probe.Round) bool { return r.End == from && len(r.Passes[0].Unsent) > 0 },
		Intercepts:  func(r *probe.Round) bool { return len(r.Passes[0].Answers) == 1024 },
	} {
		m.Events = []Event{{From: from, To: from.Add(simulatedDay), Effect: effect}}
		s := NewSimulation(m, 2)
		start := from.Add(660_000)
		if effect == StopsUs {
			start = from.Add(-60_000)
		}
		if r := s.Round(probe.Full, start, 11*time.Minute, s.Aims()); !check(r) {
			t.Errorf("effect %d: %d unsent, %d answers, %v bad, ends %v", effect, len(r.Passes[0].Unsent), len(r.Passes[0].Answers), r.VantageBad, r.End)
		}
	}
	if s := NewSimulation(m, 2); s.StoppedAt(from.Add(1)) != nil && m.Events[0].Effect != StopsUs {
		t.Error("stopped by what does not stop us")
	}
}

func TestSilentFor(t *testing.T) {
	m := alone(Inhabitant{Availability: 1})
	m.Events = []Event{{From: m.Start.Add(60_000), To: m.Start.Add(160_000), Effect: Darkens}}
	s := NewSimulation(m, 1)
	for k, prefixes := range [][]netip.Prefix{nil, {netip.MustParsePrefix("198.18.0.0/24")}} {
		if ms := s.SilentFor(m.Start, m.Start.Add(300_000), prefixes); ms != 100_000 {
			t.Errorf("%d: silent for %d ms, want 100,000", k, ms)
		}
	}
}
