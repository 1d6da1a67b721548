package outage_test

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// Where power fails twice in a day, the second partial is found as well as the first, however soon after that it begins: what answered
// in the first is not the level from which there is a fall.
func TestOutageSoonAfterAnother(t *testing.T) {
	found, seeds := 0, cases(8, 24)
	for seed := range uint64(seeds) {
		w := few(t, seed, 120, 0.9)
		w.every = 2 * time.Hour
		first := simStart.Add(5*day + 7*hour)
		second := first.Add(6 * hour)
		w.down = func(at probe.Instant, a netip.Addr, _ probe.Protocol) bool {
			return a.As4()[3]%3 != 0 && (at >= first && at < first.Add(4*hour) || at >= second && at < second.Add(5*hour))
		}
		for _, o := range w.replayed(12*7, 8*time.Minute, bare).Outages(false) {
			if o.Kind == outage.Partial && inside(o.Start, second) {
				found++
			}
		}
	}
	nineInTen(t, found, seeds)
}

// Power that fails twice a day by the clock, as sweeps begin by it, is found where rounds are hours apart: the onset cuts a sweep in two,
// and batteries last into the next ones, so that hosts seem to leave one after the other, but on other days they do not.
func TestBlackoutsByTheClock(t *testing.T) {
	const days = 12
	for every, most := range map[time.Duration]int{time.Hour: 0, 2 * time.Hour: 3} {
		w := few(t, 1, 200, 0.98)
		w.every = every
		lasts := map[netip.Addr]int64{} // of a host's battery
		for i, h := range w.hosts {
			switch {
			case i%20 < 11:
				lasts[h.addr] = w.rng.Int64N(4 * minute)
			case i%20 < 15:
				lasts[h.addr] = w.rng.Int64N(5 * hour)
			default:
				lasts[h.addr] = day
			}
		}
		blackout := func(n int) probe.Instant { return simStart.Add(5*day + 6*hour + int64(n)*12*hour) }
		w.down = func(at probe.Instant, a netip.Addr, _ probe.Protocol) bool {
			for n := range 2 * days {
				if at >= blackout(n).Add(4*minute+lasts[a]) && at < blackout(n).Add(4*hour+10*minute) {
					return true
				}
			}
			k := uint64(a.As4()[3]) + 256*uint64(a.As4()[2])
			away := rand.New(rand.NewPCG(k, uint64(int64(at)/(45*minute)))).Float64() // for three quarters of an hour
			return away < 0.05+0.45*float64(k%10)/10
		}
		list := w.replayed((5+days)*int(24*time.Hour/every), 8*time.Minute, bare).Outages(false)
		found := 0
		for n := range 2 * days {
			k := slices.IndexFunc(list, func(o outage.Outage) bool {
				return o.Start.Earliest < blackout(n).Add(4*hour) && o.Start.Latest > blackout(n) && o.End != nil && o.End.Earliest < blackout(n).Add(6*hour)
			})
			if k >= 0 {
				found++
			}
		}
		t.Logf("every %v: %d of %d found, %d told", every, found, 2*days, len(list))
		if found < 2*days-most || len(list) > 2*days {
			t.Errorf("every %v: want all but %d found, and none else told", every, most)
		}
	}
}

// A blackout by night is not over while all whom it silenced are still away, though as many answer as on other nights, in which others are
// switched off: on this one they are not.
func TestBlackoutInANightLikeNoOther(t *testing.T) {
	held, seeds := 0, cases(6, 24)
	for seed := range uint64(seeds) {
		w := few(t, seed, 180, 0.97)
		w.every = 10 * time.Minute
		from := simStart.Add(6*day + 5*minute + int64(seed)*minute)
		to := from.Add(4 * hour)
		place := map[netip.Addr]int{}
		for i, h := range w.hosts {
			place[h.addr] = i
		}
		w.down = func(at probe.Instant, a netip.Addr, _ probe.Protocol) bool {
			i, now := place[a], int64(at)%day
			switch {
			case i%20 < 6: // sleeps, but for this night
				bed, up := 20*hour+int64(i%37)*4*hour/37, 5*hour+int64(i%31)*2*hour/31
				return (now >= bed || now < up) && (at < from.Add(-8*hour) || at > to.Add(8*hour))
			case i%20 < 13:
				return at >= from && at < to
			}
			return false
		}
		for _, o := range w.replayed(8*144, 2*time.Minute, bare).Outages(false) {
			if inside(o.Start, from) && o.End != nil && inside(*o.End, to) {
				held++
			}
		}
	}
	nineInTen(t, held, seeds)
}

// Blackouts of a third of the streets that last as long as a night, at the same hours every day, end at once, as no night does. And what
// lasted for days was no night either: who falls again on the next day is missed as ever.
func TestBlackoutsLongAsNights(t *testing.T) {
	third := func(a netip.Addr) bool { return (a.As4()[3]*7+a.As4()[2])%10 < 3 }
	for name, c := range map[string]struct {
		every []time.Duration
		at    [][2]float64 // hours after the start
	}{
		"every day": {[]time.Duration{11 * time.Minute, time.Hour}, [][2]float64{{30, 38}, {54, 62}, {78, 86}, {102, 110}, {126, 134}}},
		"for days":  {[]time.Duration{11 * time.Minute, time.Hour, 2 * time.Hour}, [][2]float64{{100, 196}, {226, 232}}},
	} {
		for _, every := range c.every {
			for seed := range uint64(cases(2, 8)) {
				w := few(t, seed, 120, 0.95)
				w.every = every
				w.down = func(probe.Instant, netip.Addr, probe.Protocol) bool { return false }
				for _, at := range c.at {
					w.befall(at[0], at[1], third)
				}
				list := w.rounds(11).Outages(false)
				if len(list) != len(c.at) {
					t.Errorf("%s, every %v, seed %d: %d outages are told, want %d: %v", name, every, seed, len(list), len(c.at), list)
					continue
				}
				for i, o := range list {
					from, to := hours(c.at[i][0]), hours(c.at[i][1])
					if o.Kind != outage.Partial || o.End == nil || apart(o.Start.At, from) > every.Milliseconds() || apart(o.End.At, to) > every.Milliseconds() {
						t.Errorf("%s, every %v, seed %d: the outage %v, want one from %v to %v", name, every, seed, o, from, to)
					}
				}
			}
		}
	}
}

// What is remembered of the nights of 64 blocks takes few bytes of a snapshot, and a detector that is restored from one judges on as if it had
// never been stopped.
func TestSnapshotsOfNights(t *testing.T) {
	space, err := probe.ParseSpace([]string{"198.18.0.0/18"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, 1, probe.ICMP)
	w.space, w.aims = space, []probe.Aim{{Protocol: probe.ICMP, Targets: space}}
	for i := range 64 {
		w.beside(i, 3, 0.98)
	}
	d, size := outage.New(outage.Config{}), 0
	for i := range int64(10 * 48) {
		r := bare(w.round(probe.Full, simStart.Add(i*30*minute), 10*time.Minute, w.aims))
		d.Advance(r.Start)
		if i%48 == 24 {
			b, err := d.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			restored := outage.New(outage.Config{})
			if err := restored.UnmarshalBinary(b); err != nil {
				t.Fatal(err)
			}
			again, err := restored.MarshalBinary()
			if err != nil || !bytes.Equal(again, b) {
				t.Fatalf("restored, it is another: %v", err)
			}
			d, size = restored, len(b)
		}
		if err := d.Put(r); err != nil {
			t.Fatal(err)
		}
	}
	if size > 65*14_000 { // a block
		t.Errorf("a snapshot takes %d bytes", size)
	}
}
