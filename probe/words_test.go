package probe

import (
	"context"
	"encoding"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func TestProtocolsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.OneOf(rapid.Just(ICMP), rapid.Just(DNS), rapid.Map(rapid.Uint16Range(1, 65535), TCP)).Draw(t, "protocol")
		if q, err := ParseProtocol(p.String()); err != nil || q != p {
			t.Fatalf("%s reads as %s: %v", p, q, err)
		}
		if q, err := ProtocolOf(p.Code()); err != nil || q != p {
			t.Fatalf("%s unpacks as %s: %v", p, q, err)
		}
		q := p
		if text, err := p.MarshalText(); err != nil || q.UnmarshalText(text) != nil || q != p {
			t.Fatalf("%s is written %q: %v", p, text, err)
		}
	})
	for _, s := range []string{"", "ICMP", "tcp", "tcp/", "tcp/0", "tcp/65536", "tcp/-1", "tcp/80 ", "udp/53", "dns/53"} {
		if p, err := ParseProtocol(s); err == nil || !strings.Contains(err.Error(), "icmp, tcp/PORT") {
			t.Errorf("%q reads as %s: %v", s, p, err)
		}
	}
	for _, code := range []uint32{0, 1, TCP(80).Code() &^ 0xffff, ICMP.Code() | 1, DNS.Code() + 1, 4 << 16, TCP(80).Code() | 1<<24} {
		if p, err := ProtocolOf(code); err == nil {
			t.Errorf("code %#x unpacks as %s", code, p)
		}
	}
	if !(ICMP.Compare(TCP(1)) < 0 && TCP(80).Compare(TCP(443)) < 0 && TCP(65535).Compare(DNS) < 0 && DNS.Compare(DNS) == 0) {
		t.Error("protocols are out of order")
	}
	if (Protocol{}).String() != "none" || TCP(80).Port() != 80 || !TCP(80).IsTCP() || !DNS.IsDNS() || !ICMP.IsICMP() {
		t.Error("a protocol does not know what it is")
	}
}

// word is a type with names: an Outcome, a Kind.
type word interface {
	~uint8
	String() string
}

func testWords[W word](t *testing.T, names []string, read func(*W) encoding.TextUnmarshaler) {
	t.Helper()
	for i, name := range names {
		var w W
		if err := read(&w).UnmarshalText([]byte(name)); err != nil || w != W(i) || w.String() != name {
			t.Errorf("%q reads as %s: %v", name, w, err)
		}
	}
	var w W
	if err := read(&w).UnmarshalText([]byte("nonsense")); err == nil || !strings.Contains(err.Error(), names[0]) {
		t.Errorf("nonsense reads as %s: %v", w, err)
	}
	if s := W(len(names)).String(); !strings.Contains(s, "(") {
		t.Errorf("an unknown one is %q", s)
	}
}

func TestOutcomesAndKindsReadBack(t *testing.T) {
	testWords(t, []string{"timeout", "reply", "refused", "late", "unreachable", "unsent"}, func(o *Outcome) encoding.TextUnmarshaler { return o })
	testWords(t, []string{"round", "core", "confirm"}, func(k *Kind) encoding.TextUnmarshaler { return k })
	for o, want := range map[Outcome][2]bool{Timeout: {false, true}, Reply: {true, false}, Refused: {true, false},
		Late: {true, false}, Unreachable: {false, true}, Unsent: {false, false}} {
		if o.Life() != want[0] || o.Silence() != want[1] {
			t.Errorf("%s: life %t, silence %t", o, o.Life(), o.Silence())
		}
	}
	for _, mode := range []ICMPMode{ICMPAuto, ICMPRaw, ICMPDatagram} {
		if m, err := ParseICMPMode(mode.String()); err != nil || m != mode {
			t.Errorf("%s reads as %s: %v", mode, m, err)
		}
	}
	if _, err := ParseICMPMode("cooked"); err == nil {
		t.Error("a mode of icmp named cooked")
	}
}

func TestInstants(t *testing.T) {
	for in, want := range map[string]string{
		"2014-12-22T16:15:00.000Z":            `"2014-12-22T16:15:00.000Z"`,
		"2014-12-22T16:15:00Z":                `"2014-12-22T16:15:00.000Z"`,
		"2014-12-23T01:15:00.123999999+09:00": `"2014-12-22T16:15:00.123Z"`,
		"1969-12-31T23:59:59.999Z":            `"1969-12-31T23:59:59.999Z"`,
	} {
		at, err := ParseInstant(in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		b, err := json.Marshal(at)
		if err != nil || string(b) != want {
			t.Errorf("%s is written %s: %v", in, b, err)
		}
		var back Instant
		if err := json.Unmarshal(b, &back); err != nil || back != at || InstantOf(at.Time()) != at || at.Add(7)-at != 7 {
			t.Errorf("%s reads back as %s: %v", b, back, err)
		}
	}
	for _, in := range []string{`"2014-12-22"`, `17`, `"yesterday"`, `null,`} {
		var at Instant
		if err := at.UnmarshalJSON([]byte(in)); err == nil {
			t.Errorf("%s reads as %s", in, at)
		}
	}
	if got := InstantOf(time.Unix(0, -1)); got != -1 {
		t.Errorf("a nanosecond before the epoch is %d ms", got)
	}
}

func TestQuantiseRTTNeverShortens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		us := rapid.Uint32().Draw(t, "us")
		q := QuantiseRTT(us)
		if us <= 0xfe000000 && (q < us || float64(q-us) > float64(us)/64) || QuantiseRTT(q) != q {
			t.Fatalf("%d us becomes %d", us, q)
		}
	})
}

func TestScaledClockWaitsOutStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Date(2014, 12, 22, 6, 0, 0, 0, time.UTC)
		c := NewScaledClock(ctx, began, 1000)
		if c.Scale() != 1000 || (&Clock{}).Scale() != 1 {
			t.Error("scales are wrong")
		}
		begin := time.Now()
		if err := c.SleepUntil(ctx, began.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took < 60*time.Millisecond || took > 70*time.Millisecond {
			t.Errorf("a minute took %s", took)
		}
		cancel()
		synctest.Wait()
		// Now nobody reads the clock: what it misses beyond StallLimit is lost.
		before := c.Now()
		time.Sleep(time.Second)
		if got := c.Now().Sub(before); got != 1000*StallLimit {
			t.Errorf("a stall of a second advanced the clock by %s", got)
		}
		if err := c.SleepUntil(ctx, before.Add(time.Hour)); err == nil {
			t.Error("a sleep outlasts its context")
		}
	})
}

func TestRealClockSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Clock{}
		begin := c.Now()
		if err := c.SleepUntil(t.Context(), begin.Add(time.Second)); err != nil || c.Now().Sub(begin) != time.Second {
			t.Errorf("slept %s: %v", c.Now().Sub(begin), err)
		}
		if err := c.SleepUntil(t.Context(), begin); err != nil {
			t.Error(err)
		}
	})
}
