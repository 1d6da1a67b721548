package outage_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// people adds n hosts that answer ping, from an address on in steps.
func (w *world) people(n, first, step int, availability float64) *world {
	for i := range n {
		w.hosts = append(w.hosts, simHost{addr: w.space.Addr(first + i*step), by: map[probe.Protocol]float64{probe.ICMP: availability}, rtt: 200_000})
	}
	return w
}

// during is whether a moment lies between two, in hours after the world began.
func during(t probe.Instant, from, to float64) bool { return t >= hours(from) && t < hours(to) }

func hours(h float64) probe.Instant { return simStart.Add(int64(h * hour)) }

// ofSpace is a run's outages of the space, each as "kind from-to finding", in hours after the world began.
func ofSpace(h *outage.History) (list []string) {
	for _, o := range h.Outages(false) {
		s := fmt.Sprintf("%v %.0f-", o.Kind, float64(o.Start.At-simStart)/hour)
		if o.End != nil {
			s += fmt.Sprintf("%.0f", float64(o.End.At-simStart)/hour)
		}
		for _, r := range o.Revisions {
			s += " " + string(r.Finding)
		}
		list = append(list, s)
	}
	return list
}

// A power cut that renumbers, or from which half never comes back, is over when it is: the next total outage is another one,
// of the space and of its blocks.
func TestTotalOutagesThatChangeTheSpace(t *testing.T) {
	isOld := func(w *world, a netip.Addr) bool { return a.Less(w.space.Addr(700)) }
	for name, test := range map[string]struct {
		down  func(w *world, t probe.Instant, a netip.Addr) bool
		hours float64
		want  []string
	}{
		"all come back renumbered": {
			func(w *world, t probe.Instant, a netip.Addr) bool {
				return during(t, 36, 41) || during(t, 130, 132) || isOld(w, a) == (t >= hours(41))
			}, 140, []string{"total 36-41 moved", "total 130-132"},
		},
		"half never come back": {
			func(w *world, t probe.Instant, a netip.Addr) bool {
				i, _ := w.space.Index(a)
				return during(t, 36, 41) || during(t, 280, 282) || !isOld(w, a) || t >= hours(41) && i%2 == 0
			}, 290, []string{"total 36-209 shifted", "total 280-282"},
		},
	} {
		for seed := range uint64(cases(2, 20)) {
			w := newWorld(t, seed, probe.ICMP).people(30, 3, 11, 0.99).people(30, 702, 9, 0.99)
			w.down = func(t probe.Instant, a netip.Addr, _ probe.Protocol) bool { return test.down(w, t, a) }
			h, _ := w.run(int(test.hours * 60 / 11))
			if got := ofSpace(h); !slices.Equal(got, test.want) {
				t.Errorf("%s, seed %d: %q, want %q", name, seed, got, test.want)
			}
			for _, o := range h.Outages(true) {
				if o.End == nil || o.Start.At < hours(40) && o.End.At > hours(280) {
					t.Errorf("%s, seed %d: an outage of %s never ends", name, seed, o.Block)
				}
			}
		}
	}
}

// A /24 whose hosts all move to another is an outage of the space until that is seen, and no other one after.
func TestBlockThatMoves(t *testing.T) {
	for seed := range uint64(cases(3, 20)) {
		w := newWorld(t, seed, probe.ICMP).people(40, 3, 9, 0.99).people(12, 520, 5, 0.99).people(12, 800, 5, 0.99)
		third, fourth := netip.MustParsePrefix("198.18.2.0/24"), netip.MustParsePrefix("198.18.3.0/24")
		w.down = func(t probe.Instant, a netip.Addr, _ probe.Protocol) bool {
			return third.Contains(a) && t >= hours(30) || fourth.Contains(a) && t < hours(30)
		}
		h, _ := w.run(260)
		if got := ofSpace(h); len(got) > 1 || len(got) == 1 && got[0] != "partial 30-30 moved" {
			t.Errorf("seed %d: %q", seed, got)
		}
	}
}

// A total phase that is taken back is so in the outage too, at once, and not only when that ends.
func TestTakenBackIsPublished(t *testing.T) {
	for seed := range uint64(cases(6, 30)) {
		w := newWorld(t, seed, probe.ICMP).people(60, 3, 17, 0.99)
		w.confirm = false
		w.down = func(t probe.Instant, a netip.Addr, _ probe.Protocol) bool {
			return t >= hours(20) && a != w.hosts[20].addr && a != w.hosts[47].addr
		}
		h, _ := w.run(128)
		for _, o := range h.Outages(false) {
			agree(t, &o, outage.Timeline(h.Changes, h.Until))
			if o.Kind == outage.Partial && o.Observed == 0 {
				t.Errorf("%s: nobody answers, and it is partial", o.ID)
			}
		}
	}
}

// Where many are asked and few live on, the space is not total, over and over, whenever those few have not been asked for a
// while.
func TestSurvivors(t *testing.T) {
	n, total := cases(4, 30), 0
	for seed := range uint64(n) {
		w := newWorld(t, seed, probe.ICMP).people(60, 3, 17, 0.99)
		w.confirm = false
		w.down = func(t probe.Instant, a netip.Addr, _ probe.Protocol) bool {
			return during(t, 20, 24) && a != w.hosts[20].addr && a != w.hosts[47].addr
		}
		h, _ := w.run(200)
		list := h.Outages(false)
		if len(list) != 1 || len(list[0].Phases) > 2 {
			t.Errorf("seed %d: %s", seed, encode(t, h))
			continue
		}
		o := &list[0]
		if o.Kind == outage.Total { // one of the two did not answer by chance, and the other had not been asked
			total++
			continue
		}
		for _, i := range []int{20, 47} {
			a := w.hosts[i].addr
			if slices.Contains(o.Gone, a) || slices.ContainsFunc(o.Dark, func(p netip.Prefix) bool { return p.Contains(a) }) {
				t.Errorf("seed %d: %v lives, and is said to be gone: %v, dark %v", seed, a, o.Gone, o.Dark)
			}
		}
		if o.Observed < 1 || o.Observed > 2 || o.End == nil || o.End.Earliest > hours(24) || o.End.Latest < hours(24) {
			t.Errorf("seed %d: %d answered, and it ended %+v", seed, o.Observed, o.End)
		}
	}
	if 10*total > n {
		t.Errorf("%d of %d are total", total, n)
	}
}

// A total outage of a large space that was short is total, though not all were asked in it.
func TestShortTotalOfMany(t *testing.T) {
	for seed := range uint64(cases(2, 20)) {
		w := newWorld(t, seed, probe.ICMP).people(300, 3, 3, 0.99)
		w.confirm = false
		w.down = func(t probe.Instant, _ netip.Addr, _ probe.Protocol) bool {
			return during(t, 20, 20.1) || during(t, 30, 30.5)
		}
		h, _ := w.run(200)
		if got := ofSpace(h); !slices.Equal(got, []string{"total 20-20", "total 30-30"}) && !slices.Equal(got, []string{"total 20-20", "total 30-31"}) {
			t.Errorf("seed %d: %q", seed, got)
		}
	}
}

// Rounds that tell when they were answered, but not when what stayed silent was sent: total is total all the same.
func TestUnknownSendTimes(t *testing.T) {
	for seed := range uint64(cases(12, 100)) {
		w := newWorld(t, seed)
		w.confirm = false
		for i := range 24 {
			by := map[probe.Protocol]float64{}
			if i%3 != 0 {
				by[probe.ICMP] = 0.98
			}
			if i%3 != 1 {
				by[probe.TCP(80)] = 0.98
			}
			w.hosts = append(w.hosts, simHost{addr: w.space.Addr(9 + 31*i), by: by, rtt: 200_000})
		}
		w.amend = func(r *probe.Round) { r.Seeded, r.Seed = false, 0 }
		w.down = func(t probe.Instant, _ netip.Addr, _ probe.Protocol) bool {
			return during(t, 20, 20.6) || during(t, 30, 31.7)
		}
		h, _ := w.run(200)
		for _, o := range h.Outages(false) {
			if o.Kind != outage.Total {
				t.Errorf("seed %d: %v at rate %v", seed, o.Kind, o.ResponseRate)
			}
		}
		if n := len(h.Outages(false)); n != 2 {
			t.Errorf("seed %d: %d outages: %q", seed, n, ofSpace(h))
		}
	}
}

// A partial outage is not over when the prefix that was dark first has one host again, and the rest are still missing.
func TestPartialOutageOutlastsItsDarkPrefix(t *testing.T) {
	for seed := range uint64(cases(120, 400)) {
		w := newWorld(t, seed, probe.ICMP).people(16, 2, 2, 0.97)
		w.confirm = false
		w.every = 11 * time.Minute
		w.down = func(t probe.Instant, a netip.Addr, _ probe.Protocol) bool {
			i, _ := w.space.Index(a)
			return during(t, 20, 24) && i%10 != 2
		}
		h, _ := w.run(200)
		for _, o := range h.Outages(false) {
			if o.Start.At < hours(21) && o.End != nil && o.End.Latest < hours(23.5) {
				t.Errorf("seed %d: %q", seed, ofSpace(h))
			}
		}
	}
}

// Whoever answers in every round after a total outage is life, new or old: while only such live, the outage is partial, and not
// total again from each of their answers to the next.
func TestNewLifeAloneIsNotTotalAgain(t *testing.T) {
	for seed := range uint64(cases(1, 10)) {
		w := newWorld(t, seed, probe.ICMP).people(40, 5, 6, 0.98).people(1, 900, 1, 1)
		w.down = func(at probe.Instant, a netip.Addr, _ probe.Protocol) bool {
			i, _ := w.space.Index(a)
			return (i == 900) == (at < hours(42)) && (i == 900 || at >= hours(36))
		}
		h, _ := w.run(70 * 60 / 11)
		list := h.Outages(false)
		if len(list) != 1 || len(list[0].Phases) != 2 {
			t.Fatalf("seed %d: %d outages, the first with %d phases; want one, total and then partial", seed, len(list), len(list[0].Phases))
		}
	}
}

// Who has been away since a total outage says ever less by being silent on: while one or two of forty live, and miss a probe in ten,
// the outage is partial, and total only when they are dark.
func TestTheDeadDoNotOutweighTheLiving(t *testing.T) {
	for seed := range uint64(cases(3, 20)) {
		for _, living := range []int{1, 2} {
			w := newWorld(t, seed, probe.ICMP).people(40, 5, 6, 0.9)
			w.down = func(at probe.Instant, a netip.Addr, _ probe.Protocol) bool {
				i, _ := w.space.Index(a)
				return during(at, 36, 42) || at >= hours(42) && i >= 5+6*living || during(at, 150, 160)
			}
			h, _ := w.run(170 * 60 / 11)
			list := h.Outages(false)
			if len(list) != 1 {
				t.Fatalf("seed %d, %d live: %q", seed, living, ofSpace(h))
			}
			for _, p := range list[0].Phases {
				if p.Kind == outage.Total && !during(p.Start.At, 35.9, 36.1) && !during(p.Start.At, 149.5, 151) {
					t.Errorf("seed %d, %d live: total again from hour %.1f", seed, living, float64(p.Start.At-simStart)/hour)
				}
			}
			if n := len(list[0].Phases); living == 2 && n != 4 {
				t.Errorf("seed %d: %d phases; want total, partial, total, partial", seed, n)
			}
		}
	}
}

// An island whose cable breaks is dark for weeks, but for two hosts that have a satellite after six days: it has not become a network of
// two, of which nothing could be said, and the outage ends when most are back.
func TestWeeksOfTwoSurvivors(t *testing.T) {
	for seed := range uint64(cases(3, 12)) {
		w := newWorld(t, seed, probe.ICMP).people(40, 3, 11, 0.9)
		w.every = time.Hour
		w.down = func(t probe.Instant, a netip.Addr, _ probe.Protocol) bool {
			i, _ := w.space.Index(a)
			if i == 3 || i == 14 {
				return during(t, 9*24, 15*24)
			}
			return during(t, 9*24, 40*24+float64(i%30))
		}
		var lines []*probe.Round
		for i := range int64(45 * 24) {
			lines = append(lines, bare(w.round(probe.Full, simStart.Add(i*hour), 20*time.Minute, w.aims)))
		}
		h, err := outage.Replay(outage.Config{}, &source{lines})
		if err != nil {
			t.Fatal(err)
		}
		o := only(t, h, outage.Total)
		if len(o.Revisions) > 0 || o.End == nil || o.End.At < hours(40*24) || o.End.At > hours(40*24+31) {
			t.Errorf("seed %d: until %v, revised %v; want its end when most were back", seed, o.End, o.Revisions)
		}
	}
}
