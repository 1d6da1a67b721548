package outage_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// few is a space of so many hosts of an availability in one /24, asked by ping alone.
func few(t *testing.T, seed uint64, hosts int, availability float64) *world {
	w := newWorld(t, seed, probe.ICMP)
	for i := range hosts {
		w.hosts = append(w.hosts, simHost{addr: w.space.Addr(3 + 5*i), rtt: 300_000, by: map[probe.Protocol]float64{probe.ICMP: availability}})
	}
	return w
}

// beside adds so many hosts of an availability in another /24, counted from 0.
func (w *world) beside(third, hosts int, availability float64) {
	for i := range hosts {
		w.hosts = append(w.hosts, simHost{addr: w.space.Addr(256*third + 9*i), rtt: 300_000, by: map[probe.Protocol]float64{probe.ICMP: availability}})
	}
}

// third is one of the /24s of its space.
func (w *world) third(i int) probe.Space {
	w.t.Helper()
	of, err := probe.SpaceOf(netip.PrefixFrom(w.space.Addr(256*i), 24))
	if err != nil {
		w.t.Fatal(err)
	}
	return of
}

// alone is a space of one address of its own.
func (w *world) alone(i int) probe.Space {
	w.t.Helper()
	of, err := probe.SpaceOfAddrs(w.space.Addr(i))
	if err != nil {
		w.t.Fatal(err)
	}
	return of
}

// replayed is what a replay finds of n rounds, each swept over a time, as somebody tells them.
func (w *world) replayed(n int, span time.Duration, told func(*probe.Round) *probe.Round) *outage.History {
	w.t.Helper()
	var lines []*probe.Round
	for i := range int64(n) {
		lines = append(lines, told(w.round(probe.Full, simStart.Add(i*w.every.Milliseconds()), span, w.aims)))
	}
	h, err := outage.Replay(outage.Config{}, &source{lines})
	if err != nil {
		w.t.Fatal(err)
	}
	return h
}

// whole is a round of ours with all that it tells.
func whole(r *probe.Round) *probe.Round { return r }

// nineInTen fails the test where fewer than that share were found.
func nineInTen(t *testing.T, found, of int) {
	t.Helper()
	t.Logf("%d of %d found", found, of)
	if 10*found < 9*of {
		t.Error("want nine in ten")
	}
}

// Totals of three rounds and more of four to six hosts are found though nobody tells when the silent were asked: the silence of the
// round in which it began, of which nobody knows whether it came before the last life, is made up for by the next.
func TestTotalsOfFewInUntoldRounds(t *testing.T) {
	found, seeds := 0, cases(24, 100)
	for seed := range uint64(seeds) {
		w := few(t, seed, 4+int(seed%3), 0.998)
		from := simStart.Add(4*day + int64(seed)*77_000)
		to := from.Add(int64(3+seed%4) * w.every.Milliseconds())
		w.down = between(from, to)
		for _, o := range w.replayed(600, w.every, unseeded).Outages(false) {
			if o.Kind != outage.Total || o.End == nil || o.Start.Latest < from || o.End.Earliest > to {
				t.Errorf("seed %d: %v from %v to %v, want a total from %v to %v", seed, o.Kind, o.Start, o.End, from, to)
				continue
			}
			found++
		}
	}
	nineInTen(t, found, seeds)
}

// The end of a total is held also where a round takes seconds and tells nobody's time but of those who answered: who was silent in
// the first round after it, for a reason of their own, may have been asked after the first reply.
func TestEndsInUntoldSnapshots(t *testing.T) {
	held, seeds := 0, cases(24, 200)
	for seed := range uint64(seeds) {
		w := few(t, seed, 20, 0.99)
		w.beside(1, 20, 0.5)
		w.every = 15 * time.Minute
		from := simStart.Add(3*day + int64(seed)*77_000)
		to := from.Add(int64(3+seed%9)*w.every.Milliseconds() + int64(seed%7)*100_000)
		w.down = between(from, to)
		for _, o := range w.replayed(400, 10*time.Second, unseeded).Outages(false) {
			if o.Kind == outage.Total && o.End != nil && o.Start.Earliest <= from && from <= o.Start.Latest && o.End.Earliest <= to && to <= o.End.Latest {
				held++
			}
		}
	}
	nineInTen(t, held, seeds)
}

// Hosts that answer every second time, because something limits them, make an outage seldom, and none that does not end.
func TestHalfAnsweringHosts(t *testing.T) {
	var sum int64
	seeds := cases(16, 60)
	for seed := range uint64(seeds) {
		w := few(t, seed, 40, 0.5)
		for _, o := range w.replayed(5*24*60/11, w.every, unseeded).Outages(false) {
			if o.End == nil {
				t.Errorf("seed %d: %v since %v", seed, o.Kind, o.Start)
				continue
			}
			sum += int64(o.End.At - o.Start.At)
		}
	}
	t.Logf("%d minutes of outages in %d quiet days", sum/minute, 5*seeds)
	if sum > int64(seeds)*30*minute {
		t.Error("want half an hour in five days at most")
	}
}

// While one round after the other is not to be trusted, and until the next that is, nothing is known, in the pauses as well.
func TestBlindRoundsInARow(t *testing.T) {
	for name, every := range map[string]time.Duration{"hourly": time.Hour, "every 11 min": 11 * time.Minute} {
		w := newWorld(t, 5).like2014()
		w.every = every
		first, next := simStart.Add(60*every.Milliseconds()), simStart.Add(66*every.Milliseconds())
		w.amend = func(r *probe.Round) { r.VantageOK = r.Start < first || r.Start >= next }
		h := w.replayed(80, time.Minute, whole)
		for _, s := range outage.Timeline(h.Changes, h.Until) {
			if within := s.End > first && s.Start < next; s.Block == outage.SpaceBlock && s.State != outage.Learning && within != (s.State == outage.Unknown) {
				t.Errorf("%s: %v from %v to %v, blind from %v to %v", name, s.State, s.Start, s.End, first, next)
			}
		}
	}
}

// Another vantage has other round-trip times: that they are shorter is no sign of a middlebox.
func TestAnotherVantage(t *testing.T) {
	w := newWorld(t, 6).like2014()
	moved := simStart.Add(3 * day)
	w.amend = func(r *probe.Round) {
		if r.Start < moved {
			return
		}
		r.Vantage = "seoul1"
		for i := range r.Passes {
			for k := range r.Passes[i].Answers {
				r.Passes[i].Answers[k].RTT = 40_000
			}
		}
	}
	h := w.replayed(700, w.every, whole)
	if list := h.Outages(true); len(list) > 0 {
		t.Errorf("got\n%s", encode(t, h))
	}
	for _, s := range outage.Timeline(h.Changes, h.Until) {
		if s.State == outage.Unknown {
			t.Errorf("%s: unknown from %v to %v", s.Block, s.Start, s.End)
		}
	}
}

// The likeliest instants of a total stand where it began and ended, neither early nor late on the whole, whatever somebody tells
// of when he asked.
func TestInstantsOfUntoldRounds(t *testing.T) {
	for name, c := range map[string]struct {
		told func(*probe.Round) *probe.Round
		most int64 // off on average, of a round of 660 s, in seconds
	}{"all": {whole, 20}, "who and when": {unseeded, 40}, "who": {bare, 100}} {
		var early, late int64
		seeds := int64(cases(30, 100))
		for seed := range seeds {
			w := few(t, uint64(seed), 20, 0.998)
			from := simStart.Add(18*w.every.Milliseconds() + seed*w.every.Milliseconds()/seeds)
			to := from.Add(6*w.every.Milliseconds() + (seed*7%seeds)*w.every.Milliseconds()/seeds)
			w.down = between(from, to)
			o := only(t, w.replayed(40, w.every, c.told), outage.Total)
			holds(t, "start", o.Start, from)
			holds(t, "end", *o.End, to)
			early += int64(o.Start.At - from)
			late += int64(o.End.At - to)
		}
		early, late = early/seeds/1000, late/seeds/1000
		t.Logf("told %s: off by %d and %d s", name, early, late)
		if max(early, -early, late, -late) > c.most {
			t.Errorf("told %s: want %d s at most", name, c.most)
		}
	}
}

// Windows of a few seconds in which our own sight was bad are unknown, and not the hour to the next sweep, whatever is told of the
// sweeps; nor is one for ever where nobody is there to be seen again.
func TestBriefBlindness(t *testing.T) {
	for name, told := range map[string]func(*probe.Round) *probe.Round{"who and when": unseeded, "who": bare} {
		for _, from := range []int64{0, 27_000} {
			w := newWorld(t, 5).like2014()
			w.every = time.Hour
			w.amend = func(r *probe.Round) {
				if i := int64(r.Start-simStart) / hour; i >= 40 && i < 60 {
					r.VantageBad = []probe.Window{{From: from, To: from + 8_000}}
				}
			}
			if got := unknown(w.replayed(80, time.Minute, told)); got != 160_000 {
				t.Errorf("told %s, at %d s of each sweep: unknown for %d s", name, from/1000, got/1000)
			}
		}
	}
	w := newWorld(t, 5) // of nobody
	w.amend = func(r *probe.Round) {
		if r.Start == simStart.Add(20*w.every.Milliseconds()) {
			r.VantageBad = []probe.Window{{From: 100_000, To: 120_000}}
		}
	}
	if got := unknown(w.replayed(200, w.every, whole)); got > 2*w.every.Milliseconds() {
		t.Errorf("nobody there: unknown for %d min", got/minute)
	}
}

// unknown is for how long the space was, in milliseconds.
func unknown(h *outage.History) (sum int64) {
	for _, s := range outage.Timeline(h.Changes, h.Until) {
		if s.State == outage.Unknown && s.Block == outage.SpaceBlock {
			sum += int64(s.End - s.Start)
		}
	}
	return sum
}

// Where two vantages take turns, replies that come faster than either's path allows are still those of a middlebox.
func TestMiddleboxBeforeTwoVantages(t *testing.T) {
	w := newWorld(t, 6).like2014()
	from, to := simStart.Add(3*day), simStart.Add(3*day+6*hour)
	w.amend = func(r *probe.Round) {
		if int64(r.Start-simStart)/w.every.Milliseconds()%2 == 0 {
			r.Vantage = "other"
		}
		for i := range r.Passes {
			for k := range r.Passes[i].Answers {
				if a := &r.Passes[i].Answers[k]; r.Start.Add(int64(a.Offset)) >= from && r.Start.Add(int64(a.Offset)) < to {
					a.RTT = 5_000
				}
			}
		}
	}
	h := w.replayed(500, w.every, whole)
	if got := unknown(h); got < 5*hour || got > 7*hour {
		t.Errorf("unknown for %d min, of 360", got/minute)
	}
}

// The rest of a prefix that goes dark is found though most of it had left long before, one after the other.
func TestRestOfAPrefix(t *testing.T) {
	found, seeds := 0, cases(4, 12)
	for seed := range uint64(seeds) {
		w := few(t, seed, 0, 0)
		from, to := simStart.Add(3*day), simStart.Add(3*day+10*hour)
		leaves := map[netip.Addr]probe.Instant{}
		for i := range 40 {
			k := 64 + 5*i // in the /24
			if i < 10 {
				k = 1 + 3*i // in its first /27
			}
			h := simHost{addr: w.space.Addr(k), rtt: 200_000, by: map[probe.Protocol]float64{probe.ICMP: 0.99}}
			w.hosts = append(w.hosts, h)
			switch {
			case i < 6:
				leaves[h.addr] = from.Add(int64(i-12) * hour)
			case i < 10:
				leaves[h.addr] = from
			}
		}
		w.down = func(at probe.Instant, a netip.Addr, _ probe.Protocol) bool {
			left, ok := leaves[a]
			return ok && at >= left && at < max(to, left.Add(2*day)) && (left < from || at < to)
		}
		for _, o := range w.replayed(520, w.every, whole).Outages(false) {
			if inside(o.Start, from) {
				found++
			}
		}
	}
	if found < seeds {
		t.Errorf("%d of %d found", found, seeds)
	}
}

// A partial of hosts that are gone for most of a day ends when they are back, and not when the others have shown often enough that
// they live.
func TestGoneForADay(t *testing.T) {
	for seed := range uint64(cases(4, 12)) {
		w := newWorld(t, seed, probe.ICMP)
		gone := map[netip.Addr]bool{}
		for i := range 40 {
			h := simHost{addr: w.space.Addr(3 + 16*i), rtt: 300_000, by: map[probe.Protocol]float64{probe.ICMP: 0.97}}
			w.hosts = append(w.hosts, h)
			gone[h.addr] = i%4 == 0 && i < 36
		}
		from := simStart.Add(2*day + int64(seed)*77_000)
		to := from.Add(16*hour + int64(seed)*40*minute)
		w.down = func(at probe.Instant, a netip.Addr, _ probe.Protocol) bool { return gone[a] && at >= from && at < to }
		for _, o := range w.replayed(480, w.every, whole).Outages(false) {
			if o.End == nil || apart(o.End.At, to) > 60*minute || o.End.Latest-o.End.Earliest > 90*minute {
				t.Errorf("seed %d: %v until %v, not %v", seed, o.Kind, o.End, to)
			}
		}
	}
}

// While the whole space is dark, no block of it is up: not one whose own hosts are too few, and answer too seldom, to say so.
func TestBlocksOfADarkSpace(t *testing.T) {
	without := 0
	for seed := range uint64(cases(8, 40)) {
		w := few(t, seed, 20, 0.99)
		w.beside(1, 3, 0.75)
		const weak = "198.18.1.0/24"
		from := simStart.Add(4*day + int64(seed)*77_000)
		w.down = between(from, from.Add(25*minute))
		h := w.replayed(540, w.every, func(r *probe.Round) *probe.Round {
			if seed%2 == 1 && r.Start > from { // and then our own sight is bad for a minute, once the space is dark
				r.VantageBad = []probe.Window{{From: 5 * minute, To: 6 * minute}}
			}
			return r
		})
		var dark, up []outage.Stretch
		for _, s := range outage.Timeline(h.Changes, h.Until) {
			switch {
			case s.Block == outage.SpaceBlock && s.State == outage.Total:
				dark = append(dark, s)
			case s.Block == weak && s.State == outage.Up:
				up = append(up, s)
			}
		}
		if len(dark) == 0 || len(up) < 2 {
			t.Errorf("seed %d: the space was dark in %v, and the block up in %v", seed, dark, up)
		}
		for _, s := range dark {
			for _, u := range up {
				if s.Start < u.End && u.Start < s.End {
					t.Errorf("seed %d: the space was dark in %v, and the block up in %v", seed, s, u)
				}
			}
		}
		own := 0
		for _, o := range h.Outages(true) {
			if o.Block == weak {
				own++
			}
		}
		if own == 0 {
			without++
		}
	}
	if without == 0 {
		t.Error("every block had an outage of its own")
	}
}

// Totals are found though some are asked in vain in every round, for our own sight is bad or they cannot be asked; and where a few
// live, that is no total for it.
func TestTotalsThroughFaultsOfOurs(t *testing.T) {
	faults := map[string]func(*probe.Round) *probe.Round{
		"two bad minutes": func(r *probe.Round) *probe.Round {
			r.VantageBad = []probe.Window{{From: 5 * minute, To: 7 * minute}}
			return r
		},
		"one in seven not sent": func(r *probe.Round) *probe.Round {
			p := &r.Passes[0]
			for target := range p.Silent() {
				if (int64(target)+int64(r.Start)/minute)%7 == 0 {
					p.Unsent = append(p.Unsent, target)
				}
			}
			return r
		},
	}
	for name, told := range faults {
		t.Run(name, func(t *testing.T) {
			found, seeds := 0, cases(24, 200)
			for seed := range uint64(seeds) {
				w := few(t, seed, 23, 0.99)
				from := simStart.Add(4*day + int64(seed%60)*77_000)
				to := from.Add(25 * minute)
				w.down = between(from, to)
				for _, o := range w.replayed(560, w.every, told).Outages(false) {
					if o.Kind != outage.Total || o.End == nil || !inside(o.Start, from) || !inside(*o.End, to) {
						t.Logf("seed %d: %v from %v to %v, want a total from %v to %v", seed, o.Kind, o.Start, o.End, from, to)
						continue
					}
					found++
				}
			}
			nineInTen(t, found, seeds)
			for seed := range uint64(seeds) {
				w := few(t, seed, 23, 0.99)
				from := simStart.Add(4*day + int64(seed%60)*77_000)
				to := from.Add(2 * hour)
				w.down = func(at probe.Instant, a netip.Addr, _ probe.Protocol) bool {
					return at >= from && at < to && a.As4()[3] > 13 // three live
				}
				for _, c := range w.replayed(560, w.every, told).Changes {
					if c.State == outage.Total {
						t.Errorf("seed %d: %s is total from %v on, and three lived", seed, c.Block, c.Since)
					}
				}
			}
		})
	}
}

// Where a block that lives on cannot be asked at all, what goes dark beside it is no total of the space.
func TestNoTotalWhereABlockIsNotAsked(t *testing.T) {
	for seed := range uint64(cases(4, 24)) {
		w := few(t, seed, 19, 0.99)
		w.beside(1, 4, 0.99)
		from := simStart.Add(2*day + int64(seed)*77_000)
		to := from.Add(4 * hour)
		w.down = between(from, to, "198.18.0.0/24")
		h := w.replayed(300, w.every, func(r *probe.Round) *probe.Round {
			p := &r.Passes[0]
			if r.Start < from.Add(-hour) || r.Start >= to.Add(-hour) {
				return r
			}
			p.Answers = slices.DeleteFunc(p.Answers, func(a probe.Answer) bool { return a.Target>>8 == 1 })
			for k := range int32(256) {
				p.Unsent = append(p.Unsent, 256+k)
			}
			return r
		})
		for _, c := range h.Changes {
			if c.Block == outage.SpaceBlock && c.State == outage.Total {
				t.Errorf("seed %d: total from %v on", seed, c.Since)
			}
		}
	}
}

// A total of the space that is taken back, for two lived all along, is taken back for its blocks too.
func TestTotalTakenBackForBlocks(t *testing.T) {
	const weak = "198.18.3.0/24"
	back := 0
	for seed := range uint64(30) {
		w := newWorld(t, seed, probe.ICMP).people(60, 3, 12, 0.99)
		w.beside(3, 3, 0.75)
		w.down = func(t probe.Instant, a netip.Addr, _ probe.Protocol) bool {
			return during(t, 20, 20.6) && a != w.hosts[20].addr && a != w.hosts[47].addr
		}
		h := w.replayed(135, w.every, whole)
		total := map[string]int{}
		for _, s := range outage.Timeline(h.Changes, h.Until) {
			if s.State == outage.Total {
				total[s.Block]++
			}
		}
		for _, o := range h.Outages(true) {
			if o.Block == weak {
				total[outage.SpaceBlock]++ // it has been dark by its own silence
			}
		}
		if total[weak] > 0 && total[outage.SpaceBlock] == 0 {
			t.Errorf("seed %d: the block was total, and the space never", seed)
		}
		if slices.ContainsFunc(h.Changes, func(c outage.Change) bool { return c.Block == weak && c.State == outage.Total }) && total[outage.SpaceBlock] == 0 {
			back++
		}
	}
	if back == 0 {
		t.Error("no total was taken back")
	}
}

// A total of the space that is taken back began when the others left, and not after the last life of those who stayed.
func TestStartsOfTotalsTakenBack(t *testing.T) {
	held, seeds := 0, cases(24, 100)
	for seed := range uint64(seeds) {
		w := few(t, seed, 40, 0.99)
		from := simStart.Add(2*day + int64(seed)*77_000)
		to := from.Add(3 * hour)
		w.down = func(at probe.Instant, a netip.Addr, _ probe.Protocol) bool {
			return at >= from && at < to && a != w.hosts[seed%40].addr && a != w.hosts[39-seed%40].addr
		}
		for _, o := range w.replayed(300, w.every, whole).Outages(false) {
			if o.Kind == outage.Partial && o.End != nil && inside(o.Start, from) && inside(*o.End, to) {
				held++
			}
		}
	}
	nineInTen(t, held, seeds)
}

// The states of a block have their bounds where its outages have, also where the space says first that it is dark.
func TestStatesOfABlockInADarkSpace(t *testing.T) {
	const weak = "198.18.1.0/24"
	own := 0
	for seed := range uint64(cases(12, 40)) {
		w := few(t, seed, 20, 0.99)
		w.beside(1, 3, 0.8)
		from := simStart.Add(2*day + int64(seed)*77_000)
		w.down = between(from, from.Add(2*hour))
		h := w.replayed(300, w.every, whole)
		states := outage.Timeline(h.Changes, h.Until)
		for _, o := range h.Outages(true) {
			if o.Block != weak || o.End == nil {
				continue
			}
			own++
			for _, p := range o.Phases {
				if !slices.ContainsFunc(states, func(s outage.Stretch) bool {
					return s.Block == weak && s.State == p.Kind && s.Start == p.Start.At && s.End == p.End.At
				}) {
					t.Errorf("seed %d: %v from %v to %v is no state of the block", seed, p.Kind, p.Start.At, p.End.At)
				}
			}
		}
	}
	if own == 0 {
		t.Error("no block had an outage of its own")
	}
}
