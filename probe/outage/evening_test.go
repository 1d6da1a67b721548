package outage_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// evenings is a space of so many hosts, of which a share is switched off every evening, one after the other from one hour of
// the day to another, which may be past midnight, and on again from six to nine in the morning.
func evenings(t *testing.T, hosts int, share float64, from, to time.Duration) *world {
	w := newWorld(t, 1, probe.ICMP)
	turn := map[netip.Addr]float64{} // of those that are switched off, from 0 to 1
	for i := range hosts {
		h := simHost{addr: w.space.Addr(i * w.space.Len() / hosts), rtt: 200_000, by: map[probe.Protocol]float64{probe.ICMP: 0.99}}
		w.hosts = append(w.hosts, h)
		if w.rng.Float64() < share {
			turn[h.addr] = w.rng.Float64()
		}
	}
	w.down = func(at probe.Instant, a netip.Addr, _ probe.Protocol) bool {
		k, ok := turn[a]
		now := time.Duration(int64(at)%day) * time.Millisecond
		off, on := from+time.Duration(k*float64(to-from)), 6*time.Hour+time.Duration(k*float64(3*time.Hour))
		asleep := now >= off || now < on
		if off >= 24*time.Hour {
			asleep = now >= off-24*time.Hour && now < on
		}
		return ok && asleep
	}
	return w
}

// befall adds that hosts are down from one time to another, in hours after the start.
func (w *world) befall(from, to float64, who func(netip.Addr) bool) {
	before := w.down
	a, b := simStart.Add(int64(from*hour)), simStart.Add(int64(to*hour))
	w.down = func(at probe.Instant, addr netip.Addr, p probe.Protocol) bool {
		return at >= a && at < b && who(addr) || before(at, addr, p)
	}
}

func everybody(netip.Addr) bool { return true }

// rounds is what a replay finds of rounds alone.
func (w *world) rounds(days float64) *outage.History {
	w.t.Helper()
	every := w.every.Milliseconds()
	n := (int64(days*float64(day)) + every - 1) / every
	return w.replayed(int(n), min(w.every, 10*time.Minute), whole)
}

// A network whose customers go to bed over hours has no outage every night, however seldom it is looked at.
func TestEveningsAreNoOutages(t *testing.T) {
	for name, w := range map[string]*world{
		"over five hours, hourly":           evenings(t, 100, 0.5, 19*time.Hour, 24*time.Hour),
		"over eight hours, by the half":     evenings(t, 100, 0.6, 17*time.Hour, 25*time.Hour),
		"over three hours, every ten":       evenings(t, 200, 0.6, 21*time.Hour, 24*time.Hour),
		"few hosts, over 80 min, every ten": evenings(t, 30, 0.35, 20*time.Hour, 20*time.Hour+80*time.Minute),
	} {
		w.every = map[byte]time.Duration{'y': time.Hour, 'f': 30 * time.Minute, 'n': 10 * time.Minute}[name[len(name)-1]]
		for _, o := range w.rounds(10).Outages(false) {
			t.Errorf("%s: %s is %v until %v, rate %v, dark %v", name, o.ID, o.Kind, o.End, o.ResponseRate, o.Dark)
		}
	}
}

// Nor has an office, as good as any evening: its machines are switched off by their users, one after the other, beside servers.
func TestOfficesAreNoOutages(t *testing.T) {
	for every, most := range map[time.Duration]int{11 * time.Minute: 1, 30 * time.Minute: 4, time.Hour: 4, 2 * time.Hour: 8} {
		told, evenings := 0, 0
		for seed := range uint64(2) {
			w := office(t, seed)
			w.every = every
			told += len(w.rounds(16).Outages(false))
			evenings += 12
		}
		t.Logf("every %v: %d in %d evenings", every, told, evenings)
		if told > most {
			t.Errorf("every %v: want %d at most", every, most)
		}
	}
}

// office is a /23 of 25 servers, and of 40 machines that most of their users switch on at about half past eight, five days a week,
// and off at about six, a bit later or earlier every day.
func office(t *testing.T, seed uint64) *world {
	w := newWorld(t, seed+3, probe.ICMP)
	for i := range 25 {
		w.hosts = append(w.hosts, simHost{addr: w.space.Addr(256*(i%2) + i), rtt: 200_000, by: map[probe.Protocol]float64{probe.ICMP: 0.998}})
	}
	type user struct{ on, off float64 } // hours
	users := map[netip.Addr]user{}
	for i := range 40 {
		h := simHost{addr: w.space.Addr(256 + 30 + i), rtt: 200_000, by: map[probe.Protocol]float64{probe.ICMP: 0.93}}
		w.hosts = append(w.hosts, h)
		users[h.addr] = user{8.5 + 0.7*w.rng.NormFloat64(), 18 + 1.2*w.rng.NormFloat64()}
	}
	w.down = func(at probe.Instant, a netip.Addr, _ probe.Protocol) bool {
		u, ok := users[a]
		today, now := uint64(int64(at)/day), float64(int64(at)%day)/float64(hour)
		moods := rand.New(rand.NewPCG(today, uint64(a.As4()[3])))
		works := today%7 < 5 && moods.Float64() < 0.85
		return ok && !(works && now > u.on+0.3*moods.NormFloat64() && now < u.off+0.5*moods.NormFloat64())
	}
	return w
}

// A neighbourhood that goes to bed within an hour or two has no outage every night, whose hosts leave as fast as in one. Where rounds do not
// tell that from one moment, it has none on the first night either, for the record began in another.
func TestNeighbourhoodsGoToBed(t *testing.T) {
	for _, every := range []time.Duration{15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 3 * time.Hour} {
		w := residents(t, 120, 0.5)
		w.every = every
		told := w.rounds(15).Outages(false)
		for _, o := range told {
			t.Logf("every %v: %s is %v until %v, rate %v, dark %v", every, o.ID, o.Kind, o.End, o.ResponseRate, o.Dark)
		}
		if len(told) > 1 || every >= 30*time.Minute && len(told) > 0 {
			t.Errorf("every %v: %d outages are told in 15 nights", every, len(told))
		}
	}
}

// Nor is it an outage where all go home early on a day before a holiday, or half of them are away one afternoon: they leave over hours, as on
// every evening, though at another time.
func TestEarlyOnADay(t *testing.T) {
	for _, every := range []time.Duration{30 * time.Minute, time.Hour} {
		told, days := 0, 0
		for name, early := range map[string]int64{"at two": 17 * hour / 2, "at four": 13 * hour / 2, "half of them": 0} {
			w := residents(t, 120, 1.2)
			w.every = every
			as := w.down
			w.down = func(at probe.Instant, a netip.Addr, p probe.Protocol) bool {
				now, k := int64(at)%day, int64(a.As4()[3])
				switch {
				case int64(at-simStart)/day != 9 || now < 9*hour || as(at, a, p):
					return as(at, a, p)
				case early > 0:
					return as(at.Add(early), a, p)
				}
				return k%2 == 0 && now > 9*hour+4*hour*k/120
			}
			days++
			for _, o := range w.rounds(11).Outages(false) {
				if o.Start.At > simStart.Add(9*day+9*hour) && o.Start.At < simStart.Add(10*day) {
					t.Logf("every %v, %s: %s is %v until %v", every, name, o.ID, o.Kind, o.End)
					told++
				}
			}
		}
		if told > 0 {
			t.Errorf("every %v: %d outages are told on %d such days", every, told, days)
		}
	}
}

// Nor is it one where nobody looked while they went to bed: that they are away at once afterwards does not tell that they left at once.
func TestBedtimesInAGap(t *testing.T) {
	w := residents(t, 120, 1.2)
	w.every = 11 * time.Minute
	var lines []*probe.Round
	for at := simStart; at < simStart.Add(14*day); at = at.Add(w.every.Milliseconds()) {
		if now := int64(at) % day; int64(at-simStart)/day%3 != 2 || now < 19*hour {
			lines = append(lines, w.round(probe.Full, at, 10*time.Minute, w.aims))
		}
	}
	h, err := outage.Replay(outage.Config{}, &source{lines})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range h.Outages(false) {
		if o.Start.At > simStart.Add(4*day) {
			t.Errorf("%s is %v until %v", o.ID, o.Kind, o.End)
		}
	}
}

// Blackouts by the clock, of the same streets at the same four hours every day, are outages on the last day as on the first, and be it at
// night.
func TestBlackoutsOfTheSameStreets(t *testing.T) {
	for _, from := range []float64{8, 20, 24} {
		w := residents(t, 150, 1.5)
		w.every = 30 * time.Minute
		const first, last = 3, 15
		for d := first; d < last; d++ {
			w.befall(float64(24*d)+from, float64(24*d)+from+4, func(a netip.Addr) bool { return a.As4()[3]%5 < 3 })
		}
		found := make([]bool, last)
		for _, o := range w.rounds(last + 1).Outages(false) {
			if d := int((float64(o.Start.At-simStart)/float64(hour) - from + 1) / 24); o.Kind == outage.Partial && d >= first && d < last {
				found[d] = true
			}
		}
		n := 0
		for _, f := range found {
			if f {
				n++
			}
		}
		t.Logf("from %v o'clock: %d of %d found", from, n, last-first)
		if n < last-first-2 {
			t.Errorf("from %v o'clock: %d are found of %d", from, n, last-first)
		}
	}
}

// What falls silent in the evening by an outage is told apart from what goes to bed meanwhile: the outage ends when those it
// silenced live again as all others do.
func TestOutagesInTheEvening(t *testing.T) {
	third := func(a netip.Addr) bool { return a.As4()[3]%3 != 0 }
	for name, c := range map[string]struct {
		who  func(netip.Addr) bool
		kind outage.State
		at   [][2]float64 // hours after the start
	}{
		"total":   {everybody, outage.Total, [][2]float64{{5*24 + 20.4, 5*24 + 22.5}, {7*24 + 21, 8 * 24}}},
		"partial": {third, outage.Partial, [][2]float64{{5*24 + 20, 5*24 + 23.5}, {6*24 + 4, 6*24 + 8}, {7*24 + 20, 7*24 + 23.5}}},
	} {
		w := evenings(t, 300, 0.5, 21*time.Hour, 25*time.Hour)
		w.every = 15 * time.Minute
		for _, at := range c.at {
			w.befall(at[0], at[1], c.who)
		}
		h := w.rounds(9)
		list := h.Outages(false)
		if len(list) != len(c.at) {
			t.Fatalf("%s: %d outages are told, of %d:\n%s", name, len(list), len(c.at), encode(t, h))
		}
		for i, o := range list {
			from, to := simStart.Add(int64(c.at[i][0]*hour)), simStart.Add(int64(c.at[i][1]*hour))
			if o.Kind != c.kind || len(o.Revisions) > 0 || o.End == nil || apart(o.Start.At, from) > 20*minute || apart(o.End.At, to) > 20*minute {
				t.Errorf("%s: %s is %v until %v, want %v from %v to %v", name, o.ID, o.Kind, o.End, c.kind, from, to)
			}
		}
	}
}

// An outage that ends at night, when most of those it silenced sleep, ends then and not in the morning, night after night.
func TestCurfews(t *testing.T) {
	for _, every := range []time.Duration{11 * time.Minute, time.Hour} {
		w := residents(t, 150, 1.5)
		w.every = every
		const first, last = 4, 12
		for night := first; night < last; night++ {
			w.befall(float64(24*night)+18.5, float64(24*night)+26.5, everybody)
		}
		late, totals := 0, 0
		for _, o := range w.rounds(last + 2).Outages(false) {
			if o.Kind != outage.Total || o.End == nil {
				continue
			}
			totals++
			if to := simStart.Add((int64(o.Start.At-simStart)/day+1)*day + 2*hour + 30*minute); apart(o.End.At, to) > 2*every.Milliseconds() {
				late++
				t.Logf("every %v: the total since %v ended at %v, not at %v", every, o.Start.At, o.End.At, to)
			}
		}
		if totals != last-first || late > 1 {
			t.Errorf("every %v: %d totals are told of %d, %d of them late", every, totals, last-first, late)
		}
	}
}

// residents is a space of so many hosts, of which a fifth are servers, and the others switched on by their users at about eight,
// nine days in ten, and off at about half past ten in the evening, within so many hours of it and a bit later or earlier every day.
func residents(t *testing.T, hosts int, spread float64) *world {
	w := newWorld(t, 5, probe.ICMP)
	type user struct{ on, off float64 } // hours
	users := map[netip.Addr]user{}
	for i := range hosts {
		h := simHost{addr: w.space.Addr(i), rtt: 200_000, by: map[probe.Protocol]float64{probe.ICMP: 0.98}}
		w.hosts = append(w.hosts, h)
		if i%5 > 0 {
			users[h.addr] = user{8 + w.rng.NormFloat64(), 22.5 + spread*w.rng.NormFloat64()}
		}
	}
	w.down = func(at probe.Instant, a netip.Addr, _ probe.Protocol) bool {
		u, ok := users[a]
		noon := int64(at) - 5*hour // a day begins at five
		now := float64(noon%day)/float64(hour) + 5
		moods := rand.New(rand.NewPCG(uint64(noon/day), uint64(a.As4()[3])))
		uses := moods.Float64() < 0.9
		return ok && !(uses && now > u.on+0.5*moods.NormFloat64() && now < u.off+0.5*moods.NormFloat64())
	}
	return w
}

// Loss that is over before a round is, is found where core passes look at the space every minute; soon after it was learned, too.
func TestShortLossOfAll(t *testing.T) {
	found, seeds, spells := 0, cases(8, 40), int64(8)
	for seed := range uint64(seeds) {
		w := newWorld(t, seed).like2014()
		w.core = time.Minute
		from, apart := simStart.Add(3*hour+int64(seed)*97_000), int64(53*minute)
		w.loss = func(at probe.Instant, a netip.Addr) float64 {
			if since := int64(at - from); since >= 0 && since < spells*apart && since%apart < 450_000 && a.As4()[2] == 0 {
				return 0.4
			}
			return 0
		}
		h, _ := w.run(60)
		for _, o := range h.Outages(false) {
			if since := int64(o.Start.At-from) % apart; o.Kind != outage.Partial || o.Start.At < from.Add(-minute) || since > 450_000 && since < apart-minute {
				t.Errorf("seed %d: %v from %v until %v", seed, o.Kind, o.Start, o.End)
				continue
			}
			found++
		}
	}
	t.Logf("%d of %d found", found, seeds*int(spells))
	if 10*found < 6*seeds*int(spells) {
		t.Error("want six in ten")
	}
}

func apart(a, b probe.Instant) int64 { return max(int64(a-b), int64(b-a)) }

// A prefix that most hosts had left before it was dark for three hours is lit again by those who had not.
func TestLeftBeforeItWasDark(t *testing.T) {
	w := evenings(t, 80, 0, 21*time.Hour, 24*time.Hour)
	w.every = 10 * time.Minute
	for i := range w.hosts {
		if a := w.hosts[i].addr; a.As4()[2] == 1 && i%5 < 3 {
			w.befall(60+12*w.rng.Float64(), 1e6, func(b netip.Addr) bool { return a == b })
		}
	}
	w.befall(82, 85, func(a netip.Addr) bool { return a.As4()[2] == 1 })
	found := 0
	for _, o := range w.rounds(6).Outages(true) {
		if apart(o.Start.At, simStart.Add(82*hour)) > 20*minute {
			continue
		}
		found++
		if o.End == nil || apart(o.End.At, simStart.Add(85*hour)) > 20*minute {
			t.Errorf("%s is %v until %v", o.ID, o.Kind, o.End)
		}
	}
	if found != 2 {
		t.Errorf("%d outages are found, want the block's and the space's", found)
	}
}

// Rounds of different protocols that are lines of their own, one after the other, are judged together.
func TestProtocolsInLinesOfTheirOwn(t *testing.T) {
	for name, after := range map[string]time.Duration{"in turn": 0, "soon after": 3 * time.Minute} {
		w := newWorld(t, 1, probe.ICMP, probe.TCP(80)).like2014()
		from, to := at(t, noon), at(t, later)
		w.down = between(from, to)
		var lines []*probe.Round
		for i := range int64(200) {
			start := simStart.Add(i * w.every.Milliseconds())
			if after == 0 {
				lines = append(lines, w.round(probe.Full, start, 8*time.Minute, w.aims[i%2:][:1]))
				continue
			}
			for k, aim := range w.aims {
				lines = append(lines, w.round(probe.Full, start.Add(int64(k)*after.Milliseconds()), 2*time.Minute, []probe.Aim{aim}))
			}
		}
		h, err := outage.Replay(outage.Config{}, &source{lines})
		if err != nil {
			t.Fatal(err)
		}
		t.Log(name)
		o := only(t, h, outage.Total)
		holds(t, "start", o.Start, from)
		holds(t, "end", *o.End, to)
	}
}

// Loss that all suffer alike is found, be it looked at seldom.
func TestLossOfAll(t *testing.T) {
	for every, shares := range map[time.Duration][]float64{
		5 * time.Minute: {0.5, 0.7}, 11 * time.Minute: {0.4, 0.5, 0.7}, 30 * time.Minute: {0.5, 0.7}, time.Hour: {0.7},
	} {
		for _, share := range shares {
			w := evenings(t, 100, 0.3, 20*time.Hour, 24*time.Hour)
			w.every = every
			from, to := simStart.Add(5*day+11*hour), simStart.Add(5*day+18*hour)
			w.loss = func(at probe.Instant, _ netip.Addr) float64 {
				if at >= from && at < to {
					return share
				}
				return 0.01
			}
			list := w.rounds(7).Outages(false)
			if len(list) != 1 || list[0].Kind != outage.Partial || apart(list[0].Start.At, from) > 3*every.Milliseconds() ||
				list[0].End == nil || apart(list[0].End.At, to) > 3*every.Milliseconds() {
				t.Errorf("every %v, %.0f %%: %+v", every, 100*share, list)
			}
		}
	}
}

// A small prefix of hosts that are always on is missed at night too, when half of the others sleep.
func TestServersAreDarkAtNight(t *testing.T) {
	servers := netip.MustParsePrefix("198.18.1.16/28")
	w := evenings(t, 250, 0.55, 20*time.Hour, 24*time.Hour)
	w.every = 11 * time.Minute
	for i := range 6 {
		h := simHost{addr: netip.AddrFrom4([4]byte{198, 18, 1, byte(17 + 2*i)}), rtt: 200_000, by: map[probe.Protocol]float64{probe.ICMP: 0.995}}
		w.hosts = append(w.hosts, h)
	}
	base := w.down
	w.down = func(at probe.Instant, a netip.Addr, p probe.Protocol) bool {
		return !servers.Contains(a) && base(at, a, p)
	}
	from, to := simStart.Add(5*day+2*hour+30*minute), simStart.Add(5*day+5*hour+30*minute)
	w.befall(5*24+2.5, 5*24+5.5, servers.Contains)
	list := w.rounds(7).Outages(false)
	if len(list) != 1 || !slices.Contains(list[0].Dark, servers) {
		t.Fatalf("%+v, want one with %v dark", list, servers)
	}
	if o := &list[0]; apart(o.Start.At, from) > 11*minute || o.End == nil || apart(o.End.At, to) > 11*minute {
		t.Errorf("%v until %v, want %v until %v", o.Start, o.End, from, to)
	}
}
