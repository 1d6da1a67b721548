package lab

import (
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"brownout/probe"

	"pgregory.net/rapid"
)

func builtin(t testing.TB, name string) *World {
	t.Helper()
	s, err := Builtin(name)
	if err != nil {
		t.Fatal(err)
	}
	return world(t, s)
}

func world(t testing.TB, s *Scenario) *World {
	t.Helper()
	w, err := NewWorld(s)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func instant(t testing.TB, s string) probe.Instant {
	t.Helper()
	i, err := probe.ParseInstant(s)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// responders counts the addresses that answer once with credit, in one moment.
func responders(w *World, t probe.Instant, p probe.Protocol) int {
	n := 0
	for i := range w.space.Len() {
		if r := w.Respond(t, w.space.Addr(i), p, 0); r.Credit() && r.Kind != Unreachable {
			n++
		}
	}
	return n
}

// quiet is a built-in scenario without noise, its hosts always there.
func quiet(t testing.TB, name string) *Scenario {
	t.Helper()
	s, err := Builtin(name)
	if err != nil {
		t.Fatal(err)
	}
	s.Noise = Noise{}
	for i := range s.Hosts {
		s.Hosts[i].Availability = 1
	}
	return s
}

func TestThePopulationIsThatOfTheField(t *testing.T) {
	for _, name := range Builtins() {
		w := world(t, quiet(t, name))
		s := w.Scenario()
		var icmp, tcp, both, dns int
		perBlock := map[netip.Prefix]int{}
		for i := range s.Hosts {
			h := &s.Hosts[i]
			if h.ICMP {
				icmp++
				b, _ := h.Address.Prefix(24)
				perBlock[b]++
			}
			if len(h.Open) > 0 {
				tcp++
			}
			if h.ICMP && len(h.Open) > 0 {
				both++
			}
			if h.DNS != DNSSilent {
				dns++
			}
		}
		if icmp != 18 || tcp != 29 || tcp-both != 13 || dns != 3 {
			t.Errorf("%s: %d answer echo, %d have an open port, %d of these no echo, %d DNS; want 18, 29, 13, 3", name, icmp, tcp, tcp-both, dns)
		}
		if first, third := perBlock[netip.MustParsePrefix("198.18.0.0/24")], perBlock[netip.MustParsePrefix("198.18.2.0/24")]; first != 15 || third != 3 {
			t.Errorf("%s: %d and %d of the echo responders are in the first and third /24, want 15 and 3", name, first, third)
		}
		if got := responders(w, s.Start, probe.ICMP); got != icmp {
			t.Errorf("%s: %d addresses answer echo at the start, want %d", name, got, icmp)
		}
	}
}

func TestPhasesHoldFromTheirFirstMillisecondToTheirLast(t *testing.T) {
	web := probe.TCP(80)
	for _, c := range []struct {
		name, at  string
		icmp, tcp int // responders, without noise
	}{
		{"december-2014", "2014-12-22T16:14:59.999Z", 18, 28},
		{"december-2014", "2014-12-22T16:15:00.000Z", 0, 0},
		{"december-2014", "2014-12-23T01:45:59.999Z", 0, 0},
		{"december-2014", "2014-12-23T01:46:00.000Z", 18, 28},
		{"december-2014", "2014-12-23T07:57:00.000Z", 0, 0},
		{"december-2014", "2014-12-23T08:00:00.000Z", 18, 28},
		{"december-2014", "2014-12-23T15:40:59.999Z", 18, 28},
		{"december-2014", "2014-12-23T15:41:00.000Z", 0, 0},
		{"december-2014", "2014-12-23T16:12:00.000Z", 18, 28},
		{"one-block-dark", "2015-03-02T09:23:39.999Z", 18, 28},
		{"one-block-dark", "2015-03-02T09:23:40.000Z", 15, 24},
		{"one-block-dark", "2015-03-02T11:27:10.000Z", 18, 28},
		{"icmp-filtered", "2015-03-02T09:32:29.999Z", 18, 28},
		{"icmp-filtered", "2015-03-02T09:32:30.000Z", 0, 28},
		{"icmp-filtered", "2015-03-02T13:35:00.000Z", 18, 28},
		{"own-uplink-down", "2015-03-02T09:33:20.000Z", 0, 0},
		{"own-uplink-down", "2015-03-02T10:14:50.000Z", 18, 28},
	} {
		w := world(t, quiet(t, c.name))
		at := instant(t, c.at)
		if icmp, tcp := responders(w, at, probe.ICMP), responders(w, at, web); icmp != c.icmp || tcp != c.tcp {
			t.Errorf("%s at %s: %d answer echo and %d tcp/80, want %d and %d", c.name, c.at, icmp, tcp, c.icmp, c.tcp)
		}
	}
}

func TestReferencesAndGatewayInTrouble(t *testing.T) {
	reference := netip.MustParseAddr("198.19.1.1")
	total, cut := instant(t, "2014-12-22T20:00:00Z"), instant(t, "2015-03-02T10:00:00Z")
	for _, c := range []struct {
		name string
		at   probe.Instant
		a    netip.Addr
		p    probe.Protocol
		want Kind
	}{
		{"december-2014", total, reference, probe.ICMP, Answer},
		{"december-2014", total, Gateway, probe.ICMP, Answer},
		{"december-2014", total, reference, probe.TCP(80), None},
		{"december-2014", total, netip.MustParseAddr("198.18.77.7"), probe.ICMP, None},
		{"december-2014", total, netip.MustParseAddr("2001:db8::1"), probe.ICMP, None},
		{"own-uplink-down", cut, reference, probe.ICMP, None},
		{"own-uplink-down", cut, Gateway, probe.ICMP, Answer},
	} {
		if r := builtin(t, c.name).Respond(c.at, c.a, c.p, 1); r.Kind != c.want {
			t.Errorf("%s: %s by %s answers %s, want %s", c.name, c.a, c.p, r.Kind, c.want)
		}
	}
}

func TestTheSameAttemptHasTheSameFate(t *testing.T) {
	one, other := builtin(t, "steady"), builtin(t, "steady")
	rapid.Check(t, func(t *rapid.T) {
		at := one.scenario.Start.Add(rapid.Int64Range(-1e9, 1e9).Draw(t, "ms"))
		a := one.space.Addr(rapid.IntRange(0, one.space.Len()-1).Draw(t, "address"))
		p := rapid.SampledFrom([]probe.Protocol{probe.ICMP, probe.TCP(80), probe.TCP(443), probe.DNS}).Draw(t, "protocol")
		nonce := rapid.Uint64().Draw(t, "nonce")
		if x, y := one.Respond(at, a, p, nonce), other.Respond(at, a, p, nonce); x != y {
			t.Fatalf("two answers: %+v and %+v", x, y)
		}
	})
}

func TestSharesAreWhatTheScenarioSays(t *testing.T) {
	w := builtin(t, "steady")
	noise := w.scenario.Noise
	s := &w.scenario.Hosts[0]
	s.Availability = 1
	w = world(t, w.scenario)
	const n = 400_000
	var lost, doubled, late, corrupted, forged float64
	for k := range uint64(n) {
		r := w.Respond(w.scenario.Start, s.Address, probe.ICMP, k)
		if r.Kind == None {
			lost++
		}
		doubled += float64(r.Duplicates)
		if r.RTT >= noise.LateBy {
			late++
		}
		if r.Corrupted {
			corrupted++
		}
		if r.Forged != Genuine {
			forged++
		}
	}
	for _, c := range []struct {
		what      string
		got, want float64
	}{
		{"lost", lost / n, noise.Loss}, {"duplicates", doubled / (n - lost), noise.Duplicates}, {"late", late / (n - lost), noise.Late},
		{"corrupted", corrupted / (n - lost), noise.Corrupted}, {"forged", forged / n, noise.Forged},
	} {
		// Five standard deviations of a binomial share.
		if d := math.Abs(c.got - c.want); d > 5*math.Sqrt(c.want*(1-c.want)/n) {
			t.Errorf("%s: a share of %.5f, want %.5f", c.what, c.got, c.want)
		}
	}
}

func TestAHostIsAwayForWholeSpells(t *testing.T) {
	s := quiet(t, "steady")
	h := &s.Hosts[0]
	h.Availability, h.Spell = 0.7, 20*time.Minute
	w := world(t, s)
	const spells = 20_000
	home := &w.hosts[0]
	alive, changes := 0, 0
	last := false
	for k := range int64(spells * 4) { // four looks a spell
		at := probe.Instant(k * home.spell / 4)
		now := w.Respond(at, h.Address, probe.ICMP, uint64(k)).Kind == Answer
		if now {
			alive++
		}
		if now != last && (int64(at)+home.phase)%home.spell >= home.spell/4 {
			changes++
		}
		last = now
	}
	if changes > 1 {
		t.Errorf("the host changed %d times within a spell", changes)
	}
	if share := float64(alive) / (spells * 4); math.Abs(share-0.7) > 5*math.Sqrt(0.21/spells) {
		t.Errorf("the host lived %.4f of the time, want 0.7", share)
	}
}

func TestHeavyLossStrikesOnlyWhereItShould(t *testing.T) {
	s := quiet(t, "december-2014")
	w := world(t, s)
	at := instant(t, "2014-12-22T09:15:00Z") // a flap of 62 %
	var answered, asked [2]float64
	for k := range uint64(2000) {
		for i := range s.Hosts {
			if h := &s.Hosts[i]; h.ICMP {
				third := 0
				if h.Address.As4()[2] == 2 {
					third = 1
				}
				asked[third]++
				if w.Respond(at, h.Address, probe.ICMP, k).Kind == Answer {
					answered[third]++
				}
			}
		}
	}
	if share := answered[0] / asked[0]; math.Abs(share-0.38) > 0.02 {
		t.Errorf("the first /24 answered %.3f of probes, want 0.38", share)
	}
	if answered[1] != asked[1] {
		t.Errorf("the third /24 answered %v of %v probes", answered[1], asked[1])
	}
}

func TestTheDarkReportsButDoesNotLive(t *testing.T) {
	w := builtin(t, "december-2014")
	at := instant(t, "2014-12-22T20:00:00Z")
	reports, n := 0, 0
	for k := range uint64(100) {
		for i := range w.space.Len() {
			r := w.Respond(at, w.space.Addr(i), probe.ICMP, k)
			n++
			switch r.Kind {
			case Answer, Refusal:
				t.Fatalf("%s lives in the dark", w.space.Addr(i))
			case Unreachable:
				reports++
				if r.Type != 3 || r.From != w.scenario.Noise.Router {
					t.Fatalf("an unreachable of type %d from %s", r.Type, r.From)
				}
			}
		}
	}
	if share := float64(reports) / float64(n); math.Abs(share-0.02) > 0.005 {
		t.Errorf("the router reported %.4f of probes, want 0.02", share)
	}
}

func TestRespondDoesNotAllocate(t *testing.T) {
	w := builtin(t, "steady")
	a := w.scenario.Hosts[0].Address
	reference := w.scenario.References[2]
	var sum time.Duration
	if n := testing.AllocsPerRun(1000, func() {
		sum += w.Respond(w.scenario.Start, a, probe.TCP(80), 7).RTT
		sum += w.Respond(w.scenario.Start, reference, probe.ICMP, 7).RTT
	}); n != 0 {
		t.Errorf("%v allocations for two responses", n)
	}
}

func BenchmarkRespond(b *testing.B) {
	w := builtin(b, "december-2014")
	at := w.scenario.Start.Add(int64(5 * time.Hour / time.Millisecond))
	b.ReportAllocs()
	for k := 0; b.Loop(); k++ {
		w.Respond(at, w.space.Addr(k&1023), probe.ICMP, uint64(k))
	}
}

func TestTruth(t *testing.T) {
	for name, want := range map[string]string{
		"december-2014": `
space total 2014-12-22T16:15:00.000Z 2014-12-23T01:46:00.000Z [198.18.0.0/22]
198.18.0.0/24 total 2014-12-22T16:15:00.000Z 2014-12-23T01:46:00.000Z [198.18.0.0/24]
198.18.2.0/24 total 2014-12-22T16:15:00.000Z 2014-12-23T01:46:00.000Z [198.18.2.0/24]
space total 2014-12-23T15:41:00.000Z 2014-12-23T16:12:00.000Z [198.18.0.0/22]
198.18.0.0/24 total 2014-12-23T15:41:00.000Z 2014-12-23T16:12:00.000Z [198.18.0.0/24]
198.18.2.0/24 total 2014-12-23T15:41:00.000Z 2014-12-23T16:12:00.000Z [198.18.2.0/24]`,
		"one-block-dark": `
space partial 2015-03-02T09:23:40.000Z 2015-03-02T11:27:10.000Z [198.18.2.0/24]
198.18.2.0/24 total 2015-03-02T09:23:40.000Z 2015-03-02T11:27:10.000Z [198.18.2.0/24]`,
		"brownout-loss": `
space partial 2015-03-02T09:41:15.000Z 2015-03-02T11:46:45.000Z []
198.18.0.0/24 partial 2015-03-02T09:41:15.000Z 2015-03-02T11:46:45.000Z []
198.18.2.0/24 partial 2015-03-02T09:41:15.000Z 2015-03-02T11:46:45.000Z []`,
		"icmp-filtered":   "",
		"own-uplink-down": "",
		"steady":          "",
	} {
		var got strings.Builder
		for _, o := range builtin(t, name).scenario.Truth() {
			if !o.Optional {
				dark := make([]string, len(o.Dark))
				for i, p := range o.Dark {
					dark[i] = p.String()
				}
				got.WriteString("\n" + strings.Join([]string{o.Block, string(o.Kind), o.Start.String(), o.End.String(), "[" + strings.Join(dark, " ") + "]"}, " "))
			}
		}
		if got.String() != want {
			t.Errorf("%s: truth is%s\nwant%s", name, got.String(), want)
		}
	}
}
