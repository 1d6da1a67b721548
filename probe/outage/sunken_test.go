package outage_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/lab"
	"brownout/probe/outage"
)

// decline has a share of the hosts fall silent one by one from one time to another, and come back one by one in as long from a third on.
func (w *world) decline(share float64, from, to, back probe.Instant) {
	before := w.down
	place := map[netip.Addr]float64{}
	for _, h := range w.hosts {
		if w.rng.Float64() < share {
			place[h.addr] = w.rng.Float64()
		}
	}
	w.down = func(at probe.Instant, a netip.Addr, p probe.Protocol) bool {
		k, falls := place[a]
		wait := int64(k * float64(to-from))
		return falls && at >= from.Add(wait) && at < back.Add(wait) || before != nil && before(at, a, p)
	}
}

// A storm takes two thirds of a network's hosts in the course of eight hours, and for two days: no round shows a fall, and by night many
// sleep anyway. It is a partial outage since its course, until most are back.
func TestDeclineOfHours(t *testing.T) {
	for name, c := range map[string]struct {
		every time.Duration
		told  func(*probe.Round) *probe.Round
	}{
		"every 11 min": {11 * time.Minute, whole},
		"hourly, bare": {time.Hour, bare},
	} {
		found, seeds := 0, cases(4, 24)
		for seed := range uint64(seeds) {
			w := evenings(t, 60+10*int(seed%12), 0.3, 19*time.Hour, 24*time.Hour)
			w.every = c.every
			from := hours(24*9 + 2*float64(seed%10))
			to, back := from.Add(8*hour), from.Add(48*hour)
			w.decline(0.7, from, to, back)
			list := w.replayed(int(13*24*time.Hour/c.every), c.every, c.told).Outages(false)
			for _, o := range list {
				if o.Kind == outage.Partial && o.Start.Earliest <= to && o.Start.Latest >= from && o.End != nil && o.End.Earliest <= back.Add(8*hour) && o.End.Latest >= back {
					found++
				} else {
					t.Logf("%s, seed %d: %v", name, seed, o)
				}
			}
			if len(list) != 1 {
				t.Errorf("%s, seed %d: %d outages, want one: from %v to %v, back %v: %v", name, seed, len(list), from, to, back, fmt.Sprint(list))
			}
		}
		nineInTen(t, found, seeds)
	}
}

// Neither the nights of an office are a decline, nor its weekends, nor a fortnight in which nobody works: its servers answer on.
func TestOfficesDoNotDecline(t *testing.T) {
	for seed := range uint64(cases(1, 12)) {
		w := newWorld(t, seed, probe.ICMP).people(100, 7, 9, 0.98)
		works := map[netip.Addr]float64{} // who is switched off by night, by when
		for _, h := range w.hosts {
			if w.rng.Float64() < 0.45 {
				works[h.addr] = w.rng.Float64()
			}
		}
		w.down = func(at probe.Instant, a netip.Addr, _ probe.Protocol) bool {
			k, ok := works[a]
			days := float64(at-simStart) / day
			now := 24 * (days - float64(int(days)))
			weekend, holiday := int(days)%7 >= 5, days >= 21 && days < 35
			return ok && (weekend || holiday || now < 6+3*k || now > 14+8*k)
		}
		for _, o := range w.replayed(45*24*60/11, w.every, whole).Outages(true) {
			if o.Start.At >= simStart.Add(8*day) {
				t.Errorf("seed %d: %s is %v until %v, rate %v", seed, o.ID, o.Kind, o.End, o.ResponseRate)
			}
		}
	}
}

// What we cannot send for hours is no decline of the targets.
func TestUnsentIsNoDecline(t *testing.T) {
	for _, seed := range firstSeeds(2, 100, 15) {
		m := lab.Reference(seed)
		from := m.Start.Add(9*day + int64(seed)*5*hour)
		m.Events = append(m.Events, lab.Event{From: from, To: from.Add(int64(1+seed%4) * hour), Effect: lab.BlocksSends})
		h := watch(t, lab.NewSimulation(m, seed), elevenMinutes, 14*day, nil)
		for _, o := range h.Outages(true) {
			if o.Start.Latest >= from && o.Start.Earliest < from.Add(5*hour) {
				t.Errorf("seed %d: %s is %v from %v until %v, rate %v", seed, o.ID, o.Kind, o.Start, o.End, o.ResponseRate)
			}
		}
	}
}

// Targets that are taken out of the space while it has sunk do not bring the others back.
func TestTargetsAreTakenOutOfADecline(t *testing.T) {
	w := evenings(t, 120, 0, 0, 0)
	from := hours(24 * 9)
	to, back := from.Add(8*hour), from.Add(40*hour)
	w.decline(0.7, from, to, back)
	w.retarget(to.Add(6*hour), []probe.Protocol{probe.ICMP}, "198.18.0.0/23", "198.18.2.0/24")
	list := w.replayed(12*24*60/11, w.every, whole).Outages(false)
	if len(list) != 1 || list[0].End == nil || list[0].End.Latest < back {
		t.Errorf("want one until %v: %v", back, list)
	}
}
