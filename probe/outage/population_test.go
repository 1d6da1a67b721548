package outage_test

import (
	"fmt"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/lab"
	"brownout/probe/outage"
)

// TestPopulations watches spaces of few and of many responders, at rounds short and long. Each block says what it can
// detect, and keeps to it: every total outage that lasts as long as that takes is found, so is every drop of the smallest
// size, and nothing else is.
func TestPopulations(t *testing.T) {
	for _, n := range []int{3, 5, 10, 18, 50, 300, 1024} {
		for _, round := range []time.Duration{time.Minute, 5 * time.Minute, 11 * time.Minute, time.Hour} {
			if n > 50 && round != 11*time.Minute && !*long || n > 300 && !*long {
				continue // takes minutes
			}
			t.Run(fmt.Sprintf("%d by %v", n, round), func(t *testing.T) {
				t.Parallel()
				keepsToItsWord(t, n, round)
			})
		}
	}
}

func keepsToItsWord(t *testing.T, n int, round time.Duration) {
	seed := uint64(n) + uint64(round)
	m := lab.Responders(n, seed)
	ms := round.Milliseconds()
	learned := m.Start.Add(60 * ms)
	cadence := lab.Cadence{Round: round, Confirm: true}
	said := standing(t, m, seed, cadence, learned)
	if said.State == outage.Unobservable {
		t.Logf("unobservable: %d of %v expected", said.Observed, said.Expected)
		return
	}
	t.Logf("%v, %d usual: drops of %v in %d s, totals in %d s", said.State, said.Usual, said.Power.SmallestDrop, said.Power.PartialAfter, said.Power.TotalAfter)
	total := max(2*ms, int64(said.Power.TotalAfter)*1000+ms)
	partial := int64(said.Power.PartialAfter)*1000 + ms
	at, asked := learned, cases(5, 20)
	for i := range 2 * asked {
		if i%2 == 0 {
			m.Events = append(m.Events, lab.Event{From: at, To: at.Add(total), Effect: lab.Darkens})
			at = at.Add(total + 20*ms)
		} else if said.Power.SmallestDrop < 10_000 {
			e := dropOf(m, seed, at, said.Power.SmallestDrop.Float())
			e.To = e.From.Add(partial)
			m.Events = append(m.Events, e)
			at = e.To.Add(20 * ms)
		}
	}
	h := watch(t, lab.NewSimulation(m, seed), cadence, int64(at-m.Start), nil)
	missed := 0 // of drops: the smallest one is found almost surely, which is 99 times in 100
	for i := range m.Events {
		e := &m.Events[i]
		if found(h, e) {
			continue
		}
		if missed++; e.Effect == lab.Darkens || missed > asked/20 {
			t.Errorf("event %d, of effect %d and share %.2f, from %v to %v is not found", i, e.Effect, e.Share, e.From, e.To)
		}
	}
	for _, o := range h.Outages(false) {
		if !explained(&o, m.Events, ms) {
			t.Errorf("nothing explains %s, %v until %v, dark %v, rate %v", o.ID, o.Kind, o.End, o.Dark, o.ResponseRate)
		}
	}
}

// standing is how a space stands after it was learned.
func standing(t *testing.T, m lab.Model, seed uint64, c lab.Cadence, at probe.Instant) outage.BlockStatus {
	w := &lab.Watcher{Simulation: lab.NewSimulation(m, seed), Detector: outage.New(outage.Config{}), Cadence: c}
	return runTo(t, w, at)
}

// dropOf is an event by which a share of life is gone, no more than a point above.
func dropOf(m lab.Model, seed uint64, at probe.Instant, share float64) lab.Event {
	s := lab.NewSimulation(m, seed)
	for {
		e := lab.Event{From: at, Effect: lab.Empties, Share: share}
		if struck := s.Emptied(e); struck >= share && struck < share+max(0.01, 1/float64(len(m.Hosts))) {
			return e
		}
		at = at.Add(1)
	}
}

func found(h *outage.History, e *lab.Event) bool {
	for _, o := range h.Outages(false) {
		if meets(&o, e) && (e.Effect != lab.Darkens || o.Kind == outage.Total) {
			return true
		}
	}
	return false
}

// explained reports whether an outage overlaps an event, but for a round.
func explained(o *outage.Outage, events []lab.Event, round int64) bool {
	for _, e := range events {
		e.From, e.To = e.From.Add(-round), e.To.Add(round)
		if meets(o, &e) {
			return true
		}
	}
	return false
}
