package probe

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// fault is a time, after the vantage was opened, in which some references do not answer.
type fault struct {
	from, to time.Duration
	refs     []int // nil: all
}

const never = 1000 * time.Hour

// vantageTest is a vantage whose references answer in 50 ms but for faults. It runs in a synctest bubble.
type vantageTest struct {
	*Vantage
	t      *testing.T
	opened time.Time
	said   map[Instant]bool // of every second that was settled: whether it was bad
	upTo   Instant
}

func openVantageTest(t *testing.T, references int, faults ...fault) *vantageTest {
	t.Helper()
	v := &vantageTest{t: t, opened: time.Now(), said: map[Instant]bool{}}
	refs := make([]netip.Addr, references)
	for i := range refs {
		refs[i] = netip.AddrFrom4([4]byte{198, 18, byte(i), 1})
	}
	var err error
	v.Vantage, err = OpenVantage(VantageConfig{References: refs, Ping: func(ctx context.Context, a netip.Addr) (time.Duration, error) {
		now := time.Since(v.opened)
		for _, f := range faults {
			if now >= f.from && now < f.to && (f.refs == nil || contains(f.refs, int(a.As4()[2]))) {
				<-ctx.Done()
				return 0, errors.New("no answer")
			}
		}
		time.Sleep(50 * time.Millisecond)
		return 50 * time.Millisecond, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func contains(list []int, n int) bool {
	for _, m := range list {
		if m == n {
			return true
		}
	}
	return false
}

// watch lets time pass, and checks every second that what was settled stays as it was said.
func (v *vantageTest) watch(d time.Duration) {
	v.t.Helper()
	v.upTo = max(v.upTo, InstantOf(v.opened))
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second) {
		synctest.Wait()
		settled := v.Settled()
		if settled < v.upTo-1000 {
			v.t.Fatalf("%v after the opening, what was settled up to %v is settled up to %v only", time.Since(v.opened), v.upTo, settled)
		}
		if settled > InstantOf(time.Now()).Add(100) {
			v.t.Fatalf("settled ahead of time: %v at %v", settled, time.Now())
		}
		for ; v.upTo < settled; v.upTo = v.upTo.Add(1000) {
			v.said[v.upTo] = v.isBad(v.upTo)
		}
		for at, bad := range v.said {
			if v.isBad(at) != bad {
				v.t.Fatalf("bad at %v: %t, and at %v the contrary", at, bad, time.Now())
			}
		}
	}
}

func (v *vantageTest) isBad(at Instant) bool { return len(v.Bad(at, at+1)) > 0 }

// bad is the bad ranges, after the opening.
func (v *vantageTest) bad() string {
	var words []string
	for _, r := range v.Bad(0, 1<<60) {
		words = append(words, fmt.Sprintf("%.1f-%.1f", r.From.Time().Sub(v.opened).Seconds(), r.To.Time().Sub(v.opened).Seconds()))
	}
	return strings.Join(words, " ")
}

func TestVantage(t *testing.T) {
	for _, test := range []struct {
		name   string
		refs   int
		faults []fault
		bad    string
		ok     bool // in the end, after five minutes
	}{
		{"healthy", 3, nil, "", true},
		{"one of three dead for ever", 3, []fault{{0, never, []int{1}}}, "", true},
		{"two of three dead for ever", 3, []fault{{0, never, []int{1, 2}}}, "0.0-296.7", false},
		{"half dead for ever", 4, []fault{{0, never, []int{1, 2}}}, "", true},
		{"half die", 4, []fault{{100 * time.Second, never, []int{1, 2}}}, "", true},
		{"half dead, then a cut", 4, []fault{{0, never, []int{1, 2}}, {100 * time.Second, 140 * time.Second, nil}}, "90.0-142.6", true},
		{"a hiccup", 3, []fault{{100 * time.Second, 105 * time.Second, nil}}, "", true},
		{"a cut", 3, []fault{{100 * time.Second, 125 * time.Second, nil}}, "93.3-130.1", true},
		{"a cut that shows long enough by its end only", 3, []fault{{100 * time.Second, 117 * time.Second, nil}}, "93.3-123.4", true},
		{"a cut just too short", 3, []fault{{100 * time.Second, 116 * time.Second, nil}}, "", true},
		{"no network at first", 3, []fault{{0, 60 * time.Second, nil}}, "0.0-63.4", true},
		{"two cuts", 5, []fault{{100 * time.Second, 130 * time.Second, nil}, {200 * time.Second, 230 * time.Second, nil}}, "94.0-134.1 194.0-234.1", true},
		{"cut for good", 3, []fault{{100 * time.Second, never, nil}}, "93.3-296.7", false},
		{"two of three cut for a while", 3, []fault{{100 * time.Second, 130 * time.Second, []int{0, 2}}}, "93.3-130.1", true},
		{"references fail in turn", 3, []fault{{100 * time.Second, 130 * time.Second, []int{0}}, {140 * time.Second, 170 * time.Second, []int{1}}}, "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := openVantageTest(t, test.refs, test.faults...)
				defer v.Close()
				v.watch(5 * time.Minute)
				if got := v.bad(); got != test.bad {
					t.Errorf("bad in %q, want %q", got, test.bad)
				}
				if h := v.Health(); h.OK != test.ok || h.Sick == test.ok {
					t.Errorf("health %+v", h)
				}
			})
		})
	}
}

// Whatever the number of references and the phase: a cut of 25 s gives exactly one bad range, which contains it; a hiccup
// of 5 s gives none; and no judgement is taken back, which watch checks.
func TestVantageCuts(t *testing.T) {
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			refs := 3 + r.IntN(5)
			at := 30*time.Second + time.Duration(r.IntN(20000))*time.Millisecond
			hiccup := fault{at, at + 5*time.Second, nil}
			at += 40*time.Second + time.Duration(r.IntN(20000))*time.Millisecond
			cut := fault{at, at + 25*time.Second, nil}
			v := openVantageTest(t, refs, hiccup, cut)
			defer v.Close()
			v.watch(3 * time.Minute)
			bad := v.Bad(0, 1<<60)
			if len(bad) != 1 || bad[0].From > InstantOf(v.opened.Add(cut.from)) || bad[0].To < InstantOf(v.opened.Add(cut.to)) {
				t.Errorf("seed %d: %d references, hiccup at %v, cut at %v: bad in %q", seed, refs, hiccup.from, cut.from, v.bad())
			}
			if InstantOf(time.Now())-v.Settled() > 20_000 {
				t.Errorf("seed %d: settled up to %v at %v", seed, v.Settled(), time.Now())
			}
		})
	}
}

func TestVantageWithTooFewReferences(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := openVantageTest(t, 2, fault{0, never, nil})
		defer v.Close()
		time.Sleep(time.Minute)
		if v.Verified() || v.Bad(0, 1<<60) != nil || v.Settled() != InstantOf(time.Now()) {
			t.Errorf("two references vouch for the vantage: bad in %q, settled up to %v", v.bad(), v.Settled())
		}
		if h := v.Health(); h.OK || h.Sick || h.References != 2 {
			t.Errorf("health %+v", h)
		}
	})
}

func addrs(list ...string) (out []netip.Addr) {
	for _, a := range list {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

// TestVantageByFamily: what answers by IPv4 says nothing of the way that IPv6 takes.
func TestVantageByFamily(t *testing.T) {
	for _, targets := range []string{"198.19.0.0/28", "fd00::/124"} {
		synctest.Test(t, func(t *testing.T) {
			v, err := OpenVantage(VantageConfig{
				References: addrs("198.18.0.1", "198.18.1.1", "fd00:1::1"), Targets: testSpace(t, targets),
				Ping: func(_ context.Context, a netip.Addr) (time.Duration, error) {
					if a.Is6() {
						return 0, errors.New("network is unreachable")
					}
					return time.Millisecond, nil
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			time.Sleep(time.Minute)
			if h := v.Health(); h.Sick != (targets == "fd00::/124") || h.OK == h.Sick {
				t.Errorf("of %s: %+v", targets, h)
			}
		})
	}
}

func TestVouch(t *testing.T) {
	for _, c := range []struct {
		references, targets string
		want                error
	}{
		{"198.18.0.1 198.18.1.1 198.18.2.1", "198.19.0.0/28", nil},
		{"198.18.0.1 198.18.1.1 fd00:1::1", "198.19.0.0/28", nil},
		{"198.18.0.1 198.18.1.1 fd00:1::1", "198.19.0.0/28 fd00::/124", nil},
		{"198.18.0.1 198.18.0.2 198.18.0.3", "198.19.0.0/28", errFewReferences},
		{"198.18.0.1 198.18.1.1", "198.19.0.0/28", errFewReferences},
		{"198.18.0.1 198.18.1.1 198.18.2.1", "fd00::/124", errNoReference6},
		{"198.18.0.1 198.18.1.1 198.18.2.1", "198.19.0.0/28 fd00::/124", errNoReference6},
		{"fd00:1::1 fd00:2::1 fd00:3::1", "198.19.0.0/28", errNoReference4},
	} {
		if err := Vouch(addrs(strings.Fields(c.references)...), testSpace(t, strings.Fields(c.targets)...)); err != c.want {
			t.Errorf("%s for %s: %v, want %v", c.references, c.targets, err, c.want)
		}
	}
}

func TestLoneReference(t *testing.T) {
	mixed := addrs("198.18.0.1", "198.18.1.1", "fd00:1::1")
	for targets, want := range map[string]string{"198.19.0.0/28": "invalid IP", "fd00::/124": "fd00:1::1", "198.19.0.0/28 fd00::/124": "fd00:1::1"} {
		if got := LoneReference(mixed, testSpace(t, strings.Fields(targets)...)); got.String() != want {
			t.Errorf("for %s: %s, want %s", targets, got, want)
		}
	}
}

func TestVantageGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gateway := netip.MustParseAddr("198.18.3.1")
		v, err := OpenVantage(VantageConfig{
			References: addrs("198.18.0.1", "198.18.1.1", "198.18.2.1"),
			Gateway:    gateway,
			Ping: func(ctx context.Context, a netip.Addr) (time.Duration, error) {
				if a == gateway {
					return time.Millisecond, nil
				}
				return 0, errors.New("network is unreachable")
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		time.Sleep(time.Minute)
		if h := v.Health(); h.GatewayOK == nil || !*h.GatewayOK || !h.Sick {
			t.Errorf("a gateway that answers is no health: %+v", h)
		}
	})
}

// A ping that never ends counts as unanswered, holds nothing back for ever, and few of it are under way.
func TestVantageBoundsPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		under := make(chan struct{}, 100)
		stop := make(chan struct{})
		v, err := OpenVantage(VantageConfig{
			References: addrs("198.18.0.1", "198.18.1.1", "198.18.2.1"),
			Interval:   time.Second, Timeout: time.Second,
			Ping: func(context.Context, netip.Addr) (time.Duration, error) {
				under <- struct{}{}
				<-stop
				return 0, errors.New("stuck")
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if n := len(under); n != 3*(vantageTimeouts+1) {
			t.Errorf("%d pings are under way", n)
		}
		if h := v.Health(); !h.Sick || InstantOf(time.Now())-v.Settled() > 3000 {
			t.Errorf("pings that never end hold the judgement back: %+v, settled up to %v", h, v.Settled())
		}
		close(stop)
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestVantageScaled(t *testing.T) {
	cfg, err := VantageConfig{Clock: NewScaledClock(t.Context(), time.Now(), 1000), Timeout: 100 * time.Millisecond}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Interval != 25*time.Second || cfg.patience() != 50_000 {
		t.Errorf("interval %v, patience %d ms", cfg.Interval, cfg.patience())
	}
}

func TestVantageConfigRefused(t *testing.T) {
	a := netip.MustParseAddr("198.18.0.1")
	for _, cfg := range []VantageConfig{{Interval: -1}, {Timeout: -1}, {References: []netip.Addr{a, a}}, {References: []netip.Addr{{}}}} {
		if v, err := OpenVantage(cfg); err == nil {
			v.Close()
			t.Errorf("%+v is taken", cfg)
		}
	}
}

func TestVantageJudgeClockSetBack(t *testing.T) {
	j := newVantageJudge(3, nil, 20_000, 1_000_000)
	ping := func(at Instant, ok bool) {
		for ref := range 3 {
			p, answered := j.begin(ref, at), Instant(0)
			if ok {
				answered = at
			}
			j.end(p, answered)
		}
	}
	ping(1_010_000, true)
	ping(1_020_000, false)
	ping(1_040_000, false)
	ping(1_050_000, true)
	if bad := j.ranges(0, 1<<60); len(bad) != 1 || j.settled != 1_050_001 {
		t.Fatalf("bad in %v, settled up to %v", bad, int64(j.settled))
	}
	ping(500_000, true)
	if bad := j.ranges(0, 1<<60); len(bad) != 0 || j.settled != 500_000 {
		t.Errorf("after the clock was set back: bad in %v, settled up to %v", bad, int64(j.settled))
	}
}

// Pings end in any order, and are judged in order of sending.
func TestVantageJudgeOrder(t *testing.T) {
	j := newVantageJudge(3, nil, 20_000, 0)
	var pings []*refPing
	for i := range 12 {
		pings = append(pings, j.begin(i%3, Instant(i*1000)))
	}
	for _, i := range rand.New(rand.NewPCG(1, 1)).Perm(12) {
		if i != 5 {
			j.end(pings[i], pings[i].sent+50)
		}
	}
	if j.settled != 3000 {
		t.Errorf("settled up to %d, while the ping of 5000 is under way", j.settled)
	}
	j.end(pings[5], 0)
	if j.settled != 10_000 {
		t.Errorf("settled up to %d, want the latest moment after which half were asked and answered", j.settled)
	}
}

func TestDefaultGateway(t *testing.T) {
	const head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
	for _, test := range []struct{ table, want string }{
		{head + "eth0\t00000000\t0112A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n", "192.168.18.1"},
		{head + "eth0\t00000000\t0112A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\nwlan0\t00000000\t0212A8C0\t0003\t0\t0\t50\t00000000\t0\t0\t0\n", "192.168.18.2"},
		{head + "tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n", ""},
		{head + "eth0\t0012A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n", ""},
		{head + "eth0\t00000000\tnonsense\t0003\t0\t0\t100\t00000000\t0\t0\t0\n", ""},
		{"", ""},
	} {
		got, err := defaultGateway(strings.NewReader(test.table))
		if err != nil && test.want != "" || err == nil && got.String() != test.want {
			t.Errorf("%q: %v, %v, want %q", test.table, got, err, test.want)
		}
	}
}
