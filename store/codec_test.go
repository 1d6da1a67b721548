package store

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"brownout/probe"
)

// anyRecord draws a round with every field in use, from plausible to extreme.
func anyRecord(t *rapid.T) *record {
	spaces := []probe.Space{{}}
	for _, cidrs := range [][]string{{"198.18.0.0/28"}, {"198.18.0.0/30", "198.18.1.7", "2001:db8::/126"}, {"198.18.0.0/27"}} {
		s, err := probe.ParseSpace(cidrs, nil)
		if err != nil {
			t.Fatal(err)
		}
		spaces = append(spaces, s)
	}
	ms := func(name string) time.Duration {
		return time.Duration(rapid.Int64Range(0, 1<<32).Draw(t, name)) * time.Millisecond
	}
	small := func(name string) int64 { return rapid.Int64Range(-1<<40, 1<<40).Draw(t, name) }
	r := &probe.Round{
		Kind:  probe.Kind(rapid.IntRange(0, 2).Draw(t, "kind")),
		Start: probe.Instant(small("start")), Span: ms("span"),
		Seed: rapid.Uint64().Draw(t, "seed"), Seeded: rapid.Bool().Draw(t, "seeded"),
		Vantage: rapid.String().Draw(t, "vantage"), VantageOK: rapid.Bool().Draw(t, "ok"), Unverified: rapid.Bool().Draw(t, "unverified"),
		Timeout: ms("timeout"), Scale: rapid.Int64Range(0, 1<<62).Draw(t, "scale"), Space: rapid.SampledFrom(spaces).Draw(t, "space"),
	}
	r.End = r.Start.Add(small("end"))
	if rapid.Bool().Draw(t, "odd") {
		r.Until, r.Slack = r.Start.Add(small("until")), small("slack")
		r.VantageBad = rapid.SliceOf(rapid.Custom(func(t *rapid.T) probe.Window {
			return probe.Window{From: rapid.Int64().Draw(t, "from"), To: rapid.Int64().Draw(t, "to")}
		})).Draw(t, "windows")
	}
	for _, p := range []probe.Protocol{probe.ICMP, probe.TCP(1), probe.TCP(65535), probe.DNS} {
		if rapid.Bool().Draw(t, "pass") {
			r.Passes = append(r.Passes, anyPass(t, p, rapid.SampledFrom(append(spaces, r.Space)).Draw(t, "targets")))
		}
	}
	rec := &record{round: r, sealed: rapid.Bool().Draw(t, "sealed"), linked: rapid.Bool().Draw(t, "linked")}
	if rec.linked {
		rec.before = key{r.Start.Add(-rapid.Int64Range(0, 1<<40).Draw(t, "before")), probe.Kind(rapid.IntRange(0, 2).Draw(t, "before kind"))}
	}
	return rec
}

func anyPass(t *rapid.T, protocol probe.Protocol, targets probe.Space) probe.Pass {
	p := probe.Pass{Protocol: protocol, Targets: targets}
	fates := rapid.SliceOfN(rapid.IntRange(0, 3), targets.Len(), targets.Len()).Draw(t, "fates")
	silent := 0
	for i, fate := range fates {
		switch fate {
		case 0:
			silent++
		case 1:
			p.Unsent = append(p.Unsent, int32(i))
		default:
			p.Answers = append(p.Answers, anyAnswer(t, int32(i)))
		}
	}
	if silent > 0 && rapid.Bool().Draw(t, "silent offsets") {
		p.SilentMS = rapid.SliceOfN(rapid.Int32Range(-1, 1<<31-1), silent, silent).Draw(t, "silent")
	}
	return p
}

func anyAnswer(t *rapid.T, target int32) probe.Answer {
	a := probe.Answer{
		Target: target, Outcome: rapid.SampledFrom([]probe.Outcome{probe.Reply, probe.Refused, probe.Late, probe.Unreachable}).Draw(t, "outcome"),
		Offset: rapid.Int32Range(-1, 1<<31-1).Draw(t, "offset"), First: probe.UnknownOffset,
		RTT: probe.QuantiseRTT(rapid.Uint32().Draw(t, "rtt")),
	}
	if rapid.IntRange(0, 3).Draw(t, "odd") == 0 {
		a.First = rapid.Int32Range(-1, 1<<31-1).Draw(t, "first")
		a.Type, a.Code = rapid.Uint8Range(0, 3).Draw(t, "type"), rapid.Uint8Range(0, 1).Draw(t, "code")
		a.From = rapid.SampledFrom([]netip.Addr{{}, netip.MustParseAddr("198.18.255.1"), netip.MustParseAddr("::ffff:1.2.3.4"),
			netip.MustParseAddr("fe80::1%eth0"), netip.MustParseAddr("2001:db8::1")}).Draw(t, "from")
	}
	return a
}

var sameRecord = cmp.Options{sameRounds, cmp.AllowUnexported(record{}, key{})}

func checkRoundTrip(t *rapid.T) {
	want := anyRecord(t)
	f := newFrames()
	b, err := appendRecord(nil, want, f)
	if err != nil {
		t.Fatal(err)
	}
	for id := range f.spaces {
		if s, err := decodeSpace(appendSpace(nil, f.spaces[id])); err != nil || !s.Equal(f.spaces[id]) {
			t.Fatalf("space %v becomes %v, %v", f.spaces[id], s, err)
		}
	}
	again, err := decodeFrame(appendFrame(nil, &f.frames[0]), len(f.spaces))
	if err != nil || !bytes.Equal(appendFrame(nil, &again), appendFrame(nil, &f.frames[0])) {
		t.Fatalf("frame %v becomes %v, %v", f.frames[0], again, err)
	}
	got, err := decodeRecord(b, keyOf(want.round), f)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, sameRecord); diff != "" {
		t.Fatal(diff)
	}
	if b2, err := appendRecord(nil, got, f); err != nil || !bytes.Equal(b, b2) {
		t.Fatalf("encodes again as %x, not %x: %v", b2, b, err)
	}
	for cut := 0; cut < len(b); cut += 1 + cut/16 {
		if _, err := decodeRecord(b[:cut], keyOf(want.round), f); err == nil {
			t.Fatalf("cut to %d of %d bytes it still decodes", cut, len(b))
		}
	}
}

func TestCodecRoundTrip(t *testing.T) { rapid.Check(t, checkRoundTrip) }

func FuzzRoundTrip(f *testing.F) { f.Fuzz(rapid.MakeFuzz(checkRoundTrip)) }

// Whatever the bytes, decoding neither panics nor takes much memory, and what it accepts can be encoded and decoded again
// to the same.
func FuzzDecode(f *testing.F) {
	known := newFrames()
	for n := range 3 {
		rec := &record{round: somePopulation(f, n), sealed: n == 0}
		b, err := appendRecord(nil, rec, known)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		k := key{start: epoch}
		rec, err := decodeRecord(b, k, known)
		if err != nil || encodable(rec.round) != nil {
			return // the checksum and Verify stand before such records
		}
		again, err := appendRecord(nil, rec, known)
		if err != nil {
			t.Fatal(err)
		}
		rec2, err := decodeRecord(again, k, known)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(rec, rec2, sameRecord); diff != "" {
			t.Fatal(diff)
		}
	})
}

// What the encoding could not give back is refused, and the error names it.
func TestEncodeRefuses(t *testing.T) {
	for name, spoil := range map[string]func(r *probe.Round){
		"not quantised":      func(r *probe.Round) { r.Passes[0].Answers[0].RTT = 1_000_001 },
		"no answer":          func(r *probe.Round) { r.Passes[0].Answers[0].Outcome = probe.Timeout },
		"ascending":          func(r *probe.Round) { r.Passes[0].Answers[1].Target = 0 },
		"below 1024":         func(r *probe.Round) { r.Passes[0].Unsent = []int32{1024} },
		"both answered":      func(r *probe.Round) { r.Passes[0].Unsent = []int32{r.Passes[0].Answers[2].Target} },
		"silent send times":  func(r *probe.Round) { r.Passes[0].SilentMS = []int32{1} },
		"stands after":       func(r *probe.Round) { r.Passes[1].Protocol = probe.ICMP },
		"whole":              func(r *probe.Round) { r.Span++ },
		"no kind":            func(r *probe.Round) { r.Kind = 3 },
		"negative send time": func(r *probe.Round) { r.Passes[0].Answers[0].Offset = -2 },
	} {
		r := somePopulation(t, 1)
		spoil(r)
		if _, err := appendRecord(nil, &record{round: r}, newFrames()); err == nil || !bytes.Contains([]byte(err.Error()), []byte(name)) {
			t.Errorf("want an error about %q, got %v", name, err)
		}
	}
}

func TestRTTCode(t *testing.T) {
	last := uint64(0)
	for us := uint32(0); us < 0xfe000000; us = probe.QuantiseRTT(us + 1) {
		code := rttCode(us)
		if back, err := rttOf(code); err != nil || back != us || us > 0 && code != last+1 {
			t.Fatalf("%d us has code %d after %d, and that is %d us, %v", us, code, last, back, err)
		}
		last = code
	}
}

func TestColumn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shift := rapid.IntRange(0, 63).Draw(t, "shift")
		values := rapid.SliceOf(rapid.Custom(func(t *rapid.T) uint64 {
			if rapid.IntRange(0, 9).Draw(t, "patch") == 0 {
				return rapid.Uint64().Draw(t, "large")
			}
			return rapid.Uint64().Draw(t, "small") >> shift
		})).Draw(t, "values")
		least := rapid.IntRange(0, 1).Draw(t, "least")
		b := appendColumn(nil, values, least)
		in := reader{b: b}
		got := in.column(len(values), least)
		if err := in.end(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(values, got, sameRounds); diff != "" {
			t.Fatal(diff)
		}
	})
}
