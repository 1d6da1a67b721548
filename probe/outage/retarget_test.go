package outage_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// retarget makes other protocols and targets those of all rounds from a moment on.
func (w *world) retarget(from probe.Instant, protocols []probe.Protocol, targets ...string) {
	space, err := probe.ParseSpace(targets, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.amend = func(r *probe.Round) {
		if r.End < from || w.space.Equal(space) && len(w.aims) == len(protocols) {
			return
		}
		w.space, w.aims = space, nil
		for _, p := range protocols {
			w.aims = append(w.aims, probe.Aim{Protocol: p, Targets: space})
		}
	}
}

// Targets are taken out while they are dark: their outage ends with the last look at them, which revises it, and does not go on
// where those that are left answer. An outage of those that are left goes on.
func TestTargetsAreTakenOutOfAnOutage(t *testing.T) {
	const third = "198.18.2.0/24"
	others := []string{"198.18.0.0/23", "198.18.3.0/24"}
	from, change := at(t, noon), at(t, later)
	for name, c := range map[string]struct {
		down, kept []string
		want       map[string]outage.State // of each block's outage that ends so
		goesOn     bool
	}{
		"a dark block":            {[]string{third}, others, map[string]outage.State{"space": outage.Partial, third: outage.Total}, false},
		"a dark prefix":           {[]string{"198.18.0.0/25"}, []string{"198.18.0.128/25", "198.18.1.0/24", third}, map[string]outage.State{"space": outage.Partial}, false},
		"a block of a dark space": {nil, others, map[string]outage.State{third: outage.Total}, true},
		"the whole of a space":    {nil, []string{"198.19.0.0/24"}, map[string]outage.State{"space": outage.Total, third: outage.Total}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 3).like2014()
			w.down = between(from, at(t, "2014-12-22T06:00:00Z"), c.down...)
			for i := range 12 {
				w.hosts = append(w.hosts, simHost{addr: netip.AddrFrom4([4]byte{198, 19, 0, byte(i)}), rtt: 200_000, by: map[probe.Protocol]float64{probe.ICMP: 0.99}})
			}
			w.retarget(change, []probe.Protocol{probe.ICMP, probe.TCP(80), probe.DNS}, c.kept...)
			h, lines := w.run(220)
			sane(t, h, lines)
			if c.want[third] == outage.Total {
				notSummarised(t, lines, third, change.Add(w.every.Milliseconds()))
			}
			dropped := map[string]outage.State{}
			for _, o := range h.Outages(true) {
				if o.End == nil {
					t.Errorf("%s goes on", o.ID)
				} else if slices.ContainsFunc(o.Revisions, func(r outage.Revision) bool { return r.Finding == outage.Dropped }) {
					dropped[o.Block] = o.Kind
					if off := time.Duration(o.End.At-change) * time.Millisecond; off.Abs() > w.every {
						t.Errorf("%s ends at %v, the last look was at %v", o.ID, o.End.At, change)
					}
				} else if o.Block == "space" && !c.goesOn {
					t.Errorf("%s ends at %v, unrevised", o.ID, o.End.At)
				} else if o.Block == "space" {
					holds(t, "end", *o.End, at(t, "2014-12-22T06:00:00Z"))
				}
			}
			for block, kind := range c.want {
				if dropped[block] != kind {
					t.Errorf("of %s, %v was ended so, want %v", block, dropped[block], kind)
				}
			}
		})
	}
}

// notSummarised checks that a block is neither summarised nor in the status from a moment on.
func notSummarised(t *testing.T, lines []*probe.Round, block string, from probe.Instant) {
	t.Helper()
	d := outage.New(outage.Config{})
	for _, r := range lines {
		found := d.Advance(r.Start)
		if err := d.Put(r); err != nil {
			t.Fatal(err)
		}
		for _, s := range found.Summaries {
			if s.Block == block && s.Start > from {
				t.Errorf("%s is summarised at %v", block, s.Start)
			}
		}
	}
	if slices.ContainsFunc(d.Blocks(), func(b outage.BlockStatus) bool { return b.Block == block }) {
		t.Errorf("%s is still in the status", block)
	}
}

// Of hosts that had answered by a protocol that is not probed any more, or that we fail to send, that does not hold for ever:
// half of them that are gone are missed.
func TestAnswersOfThePast(t *testing.T) {
	from, to := simStart.Add(100*11*60_000), simStart.Add(130*11*60_000)
	peopled := func(t *testing.T) *world {
		w := newWorld(t, 3, probe.ICMP, probe.TCP(80))
		for i := range 48 {
			w.hosts = append(w.hosts, simHost{addr: w.space.Addr(5 * i), rtt: 200_000, by: map[probe.Protocol]float64{probe.ICMP: 0.99, probe.TCP(80): 0.99}})
		}
		w.down = func(at probe.Instant, a netip.Addr, _ probe.Protocol) bool {
			return at >= from && at < to && a.As4()[3]%2 == 1
		}
		return w
	}
	for name, change := range map[string]func(w *world){
		"not probed": func(w *world) {
			w.retarget(simStart.Add(60*11*60_000), []probe.Protocol{probe.TCP(80)}, "198.18.0.0/22")
		},
		"unsent": func(w *world) {
			w.amend = func(r *probe.Round) {
				for i := range r.Passes {
					if p := &r.Passes[i]; r.Start >= simStart.Add(60*11*60_000) && p.Protocol.IsTCP() {
						p.Answers, p.Unsent = nil, make([]int32, p.Targets.Len())
						for k := range p.Unsent {
							p.Unsent[k] = int32(k)
						}
					}
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := peopled(t)
			change(w)
			h, lines := w.run(150)
			sane(t, h, lines)
			o := only(t, h, outage.Partial)
			holds(t, "start", o.Start, from)
			holds(t, "end", *o.End, to)
		})
	}
}

// Rounds of which each asks another part of the space outdate nothing that others found.
func TestRoundsOfParts(t *testing.T) {
	w := newWorld(t, 1, probe.ICMP)
	for i := range 64 {
		w.hosts = append(w.hosts, simHost{addr: w.space.Addr(16 * i), rtt: 200_000, by: map[probe.Protocol]float64{probe.ICMP: 1}})
	}
	d := outage.New(outage.Config{})
	for i := range 200 {
		part, err := probe.ParseSpace([]string{netip.PrefixFrom(w.space.Addr(i%8*128), 25).String()}, nil)
		if err != nil {
			t.Fatal(err)
		}
		start := simStart.Add(int64(i) * 5 * minute)
		d.Advance(start)
		if err := d.Put(w.round(probe.Full, start, 4*time.Minute, []probe.Aim{{Protocol: probe.ICMP, Targets: part}})); err != nil {
			t.Fatal(err)
		}
	}
	if is := d.Blocks()[0]; is.State != outage.Up || is.Observed != 64 {
		t.Errorf("%v, %d of 64 observed", is.State, is.Observed)
	}
}

// While nothing can be sent, neither by rounds nor between them, it stays unknown from the first round on.
func TestNothingCanBeSent(t *testing.T) {
	w := newWorld(t, 3).like2014()
	w.core = time.Minute
	from := simStart.Add(100 * 11 * 60_000)
	w.amend = func(r *probe.Round) {
		for i := range r.Passes {
			if p := &r.Passes[i]; r.Start >= from {
				p.Answers, p.Unsent = nil, make([]int32, p.Targets.Len())
				for k := range p.Unsent {
					p.Unsent[k] = int32(k)
				}
			}
		}
	}
	d := outage.New(outage.Config{})
	coreDue := simStart
	for now := simStart; now < from.Add(5*3600_000); now = now.Add(5_000) {
		d.Advance(now)
		if now > from.Add(13*60_000) {
			if is := d.BlocksAt(now)[0]; is.State != outage.Unknown || is.Reason != "unsent" {
				t.Fatalf("%v: %v %s", now, is.State, is.Reason)
			}
		}
		if int64(now-simStart)%w.every.Milliseconds() == 0 {
			if err := d.Put(w.round(probe.Full, now, w.every, w.aims)); err != nil {
				t.Fatal(err)
			}
		} else if core := d.Core(outage.Allowance{}); now >= coreDue && len(core) > 0 {
			coreDue = now.Add(60_000)
			if err := d.Put(w.round(probe.Core, now, 50*time.Second, core)); err != nil {
				t.Fatal(err)
			}
		}
	}
}
