package outage_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"brownout/probe"
	"brownout/probe/outage"
)

var seeds = flag.Int("seeds", 2, "worlds of each kind that are simulated")

const (
	noon  = "2014-12-21T16:15:00Z"
	later = "2014-12-21T18:46:00Z"
)

// worlds calls f with every cadence at which an agent, or a file of rounds, may look.
func worlds(t *testing.T, f func(t *testing.T, w *world)) {
	for _, c := range []struct {
		name    string
		core    time.Duration
		confirm bool
	}{
		{"rounds", 0, false}, {"confirmed", 0, true}, {"core", time.Minute, true},
	} {
		for seed := range uint64(*seeds) {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, seed).like2014()
				w.core, w.confirm = c.core, c.confirm
				w.loss = func(probe.Instant, netip.Addr) float64 { return 0.01 }
				f(t, w)
			})
		}
	}
}

func holds(t *testing.T, what string, in outage.Interval, truth probe.Instant) {
	t.Helper()
	if in.Earliest > truth || in.Latest < truth || in.At < in.Earliest || in.At > in.Latest {
		t.Errorf("%s [%v %v %v] does not hold %v", what, in.Earliest, in.At, in.Latest, truth)
	}
}

// sane checks what holds of any history: P12, and that outages of a block do not overlap.
func sane(t *testing.T, h *outage.History, lines []*probe.Round) {
	t.Helper()
	again, err := outage.Replay(outage.Config{}, &source{lines})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := encode(t, h), encode(t, again); !bytes.Equal(a, b) {
		t.Errorf("online gives\n%s\nand replay\n%s", a, b)
	}
	states := outage.Timeline(h.Changes, h.Until)
	last := map[string]probe.Instant{}
	for _, o := range h.Outages(true) {
		agree(t, &o, states)
		if o.Start.At < last[o.Block] {
			t.Errorf("%s begins before %v, the end of the one before", o.ID, last[o.Block])
		}
		if o.End != nil {
			last[o.Block] = o.End.At
		}
		for i, p := range o.Phases {
			if i > 0 && (o.Phases[i-1].End == nil || *o.Phases[i-1].End != p.Start) {
				t.Errorf("%s: phases %d and %d do not meet: %+v", o.ID, i-1, i, o.Phases)
			}
		}
	}
}

// agree checks that the states say what an outage's phases say, where nothing is unknown.
func agree(t *testing.T, o *outage.Outage, states []outage.Stretch) {
	t.Helper()
	for _, p := range o.Phases {
		if !slices.ContainsFunc(states, func(s outage.Stretch) bool {
			return s.Block == o.Block && s.State == p.Kind && s.Start <= p.Start.At && (p.End == nil || s.End >= p.End.At)
		}) {
			t.Errorf("%s: phase %v from %v is none of the states\n%v", o.ID, p.Kind, p.Start.At, states)
		}
	}
}

func encode(t *testing.T, h *outage.History) []byte {
	t.Helper()
	b, err := json.MarshalIndent(struct {
		Outages []outage.Outage
		States  []outage.Stretch
	}{h.Outages(true), outage.Timeline(h.Changes, h.Until)}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// only expects a single outage of the space, of a kind, and returns it.
func only(t *testing.T, h *outage.History, kind outage.State) outage.Outage {
	t.Helper()
	list := h.Outages(false)
	if len(list) != 1 || list[0].Kind != kind {
		t.Fatalf("want one %v outage, got\n%s", kind, encode(t, h))
	}
	return list[0]
}

func TestP1Steady(t *testing.T) {
	worlds(t, func(t *testing.T, w *world) {
		h, lines := w.run(150)
		sane(t, h, lines)
		if list := h.Outages(true); len(list) > 0 {
			t.Errorf("18 live of 1,024 is up, but got\n%s", encode(t, h))
		}
		states := outage.Timeline(h.Changes, h.Until)
		if states[0].State != outage.Learning || states[1].State != outage.Up || states[1].End != h.Until {
			t.Errorf("states %v", states[:2])
		}
	})
}

func TestP2TooFew(t *testing.T) {
	w := newWorld(t, 1).like2014()
	w.hosts = w.hosts[:2]
	w.down = between(at(t, noon), at(t, later))
	h, lines := w.run(150)
	sane(t, h, lines)
	for _, s := range outage.Timeline(h.Changes, h.Until) {
		if s.State != outage.Learning && s.State != outage.Unobservable {
			t.Errorf("two addresses make %+v", s)
		}
	}
	if len(h.Outages(true)) > 0 {
		t.Errorf("two addresses make an outage")
	}
}

func TestP2SilentFromTheFirst(t *testing.T) {
	w := newWorld(t, 1)
	h, _ := w.run(50)
	if list := h.Outages(true); len(list) > 0 {
		t.Errorf("never responsive is not total: %v", list)
	}
}

func TestP4Total(t *testing.T) {
	worlds(t, func(t *testing.T, w *world) {
		from, to := at(t, noon), at(t, later)
		w.down = between(from, to)
		h, lines := w.run(150)
		sane(t, h, lines)
		o := only(t, h, outage.Total)
		holds(t, "start", o.Start, from)
		holds(t, "end", *o.End, to)
		if o.Observed != 0 || o.Expected < 250_000 || len(o.Dark) != 1 || o.Dark[0] != netip.MustParsePrefix("198.18.0.0/22") {
			t.Errorf("%+v", o)
		}
		if len(o.Phases) != 1 || o.DeclaredAt-from > 2*11*60*1000 {
			t.Errorf("phases %v, declared at %v", o.Phases, o.DeclaredAt)
		}
		for _, b := range h.Outages(true) {
			if b.Block != outage.SpaceBlock && (b.PartOf == nil || *b.PartOf != o.ID) {
				t.Errorf("%s is part of %v", b.ID, b.PartOf)
			}
		}
	})
}

func TestP5BlockOfThree(t *testing.T) {
	worlds(t, func(t *testing.T, w *world) {
		from, to := at(t, noon), at(t, later)
		w.down = between(from, to, "198.18.2.0/24")
		h, lines := w.run(150)
		sane(t, h, lines)
		o := only(t, h, outage.Partial)
		holds(t, "start", o.Start, from)
		holds(t, "end", *o.End, to)
		if !slices.Equal(o.Dark, []netip.Prefix{netip.MustParsePrefix("198.18.2.0/24")}) || o.DeclaredAt-from > 3*11*60*1000 {
			t.Errorf("dark %v, declared at %v", o.Dark, o.DeclaredAt)
		}
	})
}

// Life in the block, late or not, turns total into partial.
func TestP5LifeTurnsTotalIntoPartial(t *testing.T) {
	worlds(t, func(t *testing.T, w *world) {
		from, some, to := at(t, noon), at(t, "2014-12-21T17:30:00Z"), at(t, later)
		survivor := w.hosts[2].addr
		w.down = func(x probe.Instant, a netip.Addr, _ probe.Protocol) bool {
			return x >= from && x < to && (x < some || a != survivor)
		}
		h, lines := w.run(150)
		sane(t, h, lines)
		o := only(t, h, outage.Total)
		holds(t, "start", o.Start, from)
		holds(t, "end", *o.End, to)
		if len(o.Phases) != 2 || o.Phases[0].Kind != outage.Total || o.Phases[1].Kind != outage.Partial {
			t.Fatalf("phases %+v", o.Phases)
		}
		holds(t, "life", o.Phases[1].Start, some)
	})
}

func TestPartialByLoss(t *testing.T) {
	worlds(t, func(t *testing.T, w *world) {
		from, to := at(t, noon), at(t, later)
		w.loss = func(x probe.Instant, _ netip.Addr) float64 {
			if x >= from && x < to {
				return 0.7
			}
			return 0.01
		}
		h, lines := w.run(150)
		sane(t, h, lines)
		o := only(t, h, outage.Partial)
		if o.Start.At-from > 11*60*1000 || from-o.Start.At > 11*60*1000 || o.ResponseRate > 8000 {
			t.Errorf("%+v", o)
		}
	})
}

func TestP6Filtering(t *testing.T) {
	worlds(t, func(t *testing.T, w *world) {
		from, to := at(t, noon), at(t, "2014-12-22T01:00:00Z")
		w.down = func(x probe.Instant, _ netip.Addr, p probe.Protocol) bool { return p.IsICMP() && x >= from && x < to }
		h, lines := w.run(200)
		sane(t, h, lines)
		if list := h.Outages(true); len(list) > 0 {
			t.Errorf("icmp alone is dark, but got\n%s", encode(t, h))
		}
	})
}

// Where ICMP has been filtered for hours, the others tell a total outage as soon as ever; who is known by ICMP alone was silent
// before.
func TestP6TotalWhileFiltered(t *testing.T) {
	worlds(t, func(t *testing.T, w *world) {
		filtered, from, to := at(t, "2014-12-21T15:00:00Z"), at(t, "2014-12-21T23:00:00Z"), at(t, "2014-12-22T00:10:00Z")
		w.down = func(x probe.Instant, _ netip.Addr, p probe.Protocol) bool {
			return x >= filtered && p.IsICMP() || x >= from && x < to
		}
		h, lines := w.run(200)
		sane(t, h, lines)
		o := only(t, h, outage.Total)
		holds(t, "start", o.Start, from)
		holds(t, "end", *o.End, to)
		if o.DeclaredAt-from > 2*11*60*1000 {
			t.Errorf("declared at %v", o.DeclaredAt)
		}
	})
}

func TestSingleProtocol(t *testing.T) {
	w := newWorld(t, 1, probe.ICMP).like2014()
	w.down = between(at(t, noon), at(t, later))
	h, lines := w.run(150)
	sane(t, h, lines)
	if o := only(t, h, outage.Total); !slices.Contains(o.Conditions, outage.SingleProtocol) {
		t.Errorf("conditions %v", o.Conditions)
	}
}

// Our own sight being bad makes unknown, whether the vantage says so, sending failed, or we were not there.
func TestP3OwnSide(t *testing.T) {
	from, to := at(t, noon), at(t, "2014-12-21T17:32:00Z")
	for name, amend := range map[string]func(r *probe.Round){
		"vantage": func(r *probe.Round) {
			a, b := max(from, r.Start), min(to, r.End.Add(3000))
			if a < b {
				r.VantageBad = []probe.Window{{From: int64(a - r.Start), To: int64(b - r.Start)}}
			}
		},
		"line": func(r *probe.Round) { r.VantageOK = r.Start.Add(11*60*1000) < from || r.Start > to },
		"unsent": func(r *probe.Round) {
			for i := range r.Passes {
				p := &r.Passes[i]
				silent := slices.Collect(p.Silent())
				if r.Start.Add(11*60*1000) >= from && r.Start <= to {
					p.Unsent = silent
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 3).like2014()
			w.down, w.amend = between(from, to), amend
			h, lines := w.run(150)
			sane(t, h, lines)
			if list := h.Outages(true); len(list) > 0 {
				t.Errorf("got\n%s", encode(t, h))
			}
			var unknown int64
			for _, s := range outage.Timeline(h.Changes, h.Until) {
				if s.Block == outage.SpaceBlock && s.State == outage.Unknown {
					unknown += int64(s.End - s.Start)
				}
			}
			if fault := int64(to - from); unknown < fault/2 || unknown > fault+2*11*60*1000 {
				t.Errorf("unknown for %d s of a fault of %d s", unknown/1000, fault/1000)
			}
		})
	}
}

func TestP3Gap(t *testing.T) {
	w := newWorld(t, 3).like2014()
	_, lines := w.run(150)
	lines = slices.DeleteFunc(lines, func(r *probe.Round) bool { return r.Start > at(t, noon) && r.Start < at(t, later) })
	h, err := outage.Replay(outage.Config{}, &source{lines})
	if err != nil {
		t.Fatal(err)
	}
	states := outage.Timeline(h.Changes, h.Until)
	if len(h.Outages(true)) > 0 || states[2].State != outage.Unknown || states[3].State != outage.Up {
		t.Errorf("%v", states[:4])
	}
}

// Without references that vouch for the vantage, silence is unknown, never total.
func TestUnverified(t *testing.T) {
	w := newWorld(t, 3).like2014()
	w.down = between(at(t, noon), at(t, later))
	w.amend = func(r *probe.Round) { r.Unverified = true }
	h, lines := w.run(150)
	sane(t, h, lines)
	states := outage.Timeline(h.Changes, h.Until)
	if len(h.Outages(true)) > 0 || states[2].State != outage.Unknown || states[3].State != outage.Up {
		t.Errorf("%v\n%s", states[:4], encode(t, h))
	}
}

// A snapshot taken at any moment, with the rounds so far put again, goes on to the same verdicts.
func TestP12Restart(t *testing.T) {
	w := newWorld(t, 5).like2014()
	w.core = time.Minute
	w.down = between(at(t, noon), at(t, "2014-12-21T16:40:00Z"))
	h, lines := w.run(100)
	want := encode(t, h)
	for step := probe.Instant(7 * 60_000); step < 400*60_000; step *= 3 {
		got := &outage.History{Until: h.Until}
		d := outage.New(outage.Config{})
		next := simStart + step
		for i, r := range lines {
			for next < r.Start {
				got.Add(d.Advance(next))
				d = restart(t, d, lines[max(0, i-60):i])
				next += step
			}
			got.Add(d.Advance(r.Start))
			if err := d.Put(r); err != nil {
				t.Fatal(err)
			}
		}
		got.Add(d.Advance(outage.EndOfTime))
		if !bytes.Equal(want, encode(t, got)) {
			t.Errorf("with a restart every %d min, verdicts differ:\n%s", step/60_000, cmp.Diff(string(want), string(encode(t, got))))
		}
	}
}

func restart(t *testing.T, d *outage.Detector, lines []*probe.Round) *outage.Detector {
	t.Helper()
	b, err := d.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	next := outage.New(outage.Config{})
	if err := next.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	for _, r := range lines {
		if r.End.Add(60_000) < next.Cursor() {
			continue
		}
		if err := next.Put(r); err != nil {
			t.Fatal(err)
		}
	}
	return next
}
