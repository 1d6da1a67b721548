package probe_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"brownout/probe"
)

// The example of the interchange format, as documented.
const exampleLines = `{"kind":"header","v":1,"block_bits":24,"timeout_ms":2000,"plan":1}
{"start":"2014-12-22T16:00:00.000Z","end":"2014-12-22T16:11:00.000Z","kind":"round","vantage":"fra1","vantage_ok":true,"space":["198.18.0.0/22"],"seed":"81985529216486895","probes":[{"protocol":"icmp","sent":1024,"unsent":[],"answers":[{"address":"198.18.0.8","outcome":"reply","offset_ms":12345,"rtt_us":180224}]}]}
`

// TestReadCutOff: where reading fails in the midst of a line, as of a gzip file that was cut off, that is told, and not what is
// wrong with half a line.
func TestReadCutOff(t *testing.T) {
	for _, at := range []int{len(exampleLines) - 1, len(exampleLines) - 9, 20} {
		r := probe.NewRoundReader(io.MultiReader(strings.NewReader(exampleLines[:at]), iotest.ErrReader(io.ErrUnexpectedEOF)))
		var err error
		for err == nil {
			_, err = r.Next()
		}
		var line *probe.LineError
		if !errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &line) {
			t.Errorf("cut off after %d bytes: %v", at, err)
		}
	}
}

func TestReadExample(t *testing.T) {
	r := probe.NewRoundReader(strings.NewReader(exampleLines))
	round, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if r.BlockBits() != 24 || round.Timeout != 2*time.Second || round.Seed != 81985529216486895 || !round.Seeded || round.Span != 11*time.Minute {
		t.Errorf("header or round misread: %+v", round)
	}
	want := []probe.Answer{{Target: 8, Outcome: probe.Reply, Offset: 12345, First: probe.UnknownOffset, RTT: 180224}}
	if diff := cmp.Diff(want, round.Passes[0].Answers, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Error(diff)
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("after the last line: %v", err)
	}
	var out bytes.Buffer
	w := probe.NewRoundWriter(&out)
	if err := errors.Join(w.Header(24, 2*time.Second, 1), w.Write(round)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(exampleLines, out.String()); diff != "" {
		t.Error(diff)
	}
}

// Only start, end, space and probes are required.
func TestReadLeast(t *testing.T) {
	round, err := probe.NewRoundReader(strings.NewReader(`{"start":"2014-12-22T16:00:00Z","end":"2014-12-22T17:00:00+00:30","space":["198.18.0.0/30","198.18.0.9"],` +
		`"probes":[{"protocol":"tcp/80","answers":[{"address":"198.18.0.9"}]}],"foreign":1}`)).Next()
	if err != nil {
		t.Fatal(err)
	}
	if round.Kind != probe.Full || !round.VantageOK || round.Seeded || round.Timeout != probe.DefaultTimeout || round.End-round.Start != 30*60*1000 {
		t.Errorf("%+v", round)
	}
	if a := round.Passes[0].Answers[0]; a.Outcome != probe.Reply || a.Offset != probe.UnknownOffset || a.Target != 4 {
		t.Errorf("%+v", a)
	}
}

func TestReadMalformed(t *testing.T) {
	const good = `{"start":"2014-12-22T16:00:00Z","end":"2014-12-22T16:11:00Z","space":["198.18.0.0/30"],"probes":[{"protocol":"icmp"}]}`
	for _, c := range []struct{ from, to, want string }{
		{`"start":"2014-12-22T16:00:00Z",`, ``, "start is missing"},
		{`"end":"2014-12-22T16:11:00Z",`, ``, "end is missing"},
		{`16:11`, `15:11`, "before start"},
		{`2014-12-22T16:00:00Z`, `yesterday`, "RFC 3339"},
		{`"space":["198.18.0.0/30"],`, ``, "space is missing"},
		{`198.18.0.0/30`, `198.18.0.1/30`, "host bits"},
		{`198.18.0.0/30`, `2001:db8::/64`, "more than the"},
		{`{"protocol":"icmp"}`, ``, "probes is missing"},
		{`"protocol":"icmp"`, `"protocol":"udp"`, "none of icmp"},
		{`"protocol":"icmp"`, `"sent":4`, "protocol is missing"},
		{`{"protocol":"icmp"}`, `{"protocol":"icmp"},{"protocol":"icmp"}`, "stands twice"},
		{`"protocol":"icmp"`, `"protocol":"icmp","sent":5`, "sent is 5"},
		{`"protocol":"icmp"`, `"protocol":"icmp","unsent":["198.18.0.9"]`, "not among the targets"},
		{`"protocol":"icmp"`, `"protocol":"icmp","targets":["198.18.1.0/30"]`, "not in the space"},
		{`"protocol":"icmp"`, `"protocol":"icmp","answers":[{"outcome":"reply"}]`, "address is missing"},
		{`"protocol":"icmp"`, `"protocol":"icmp","answers":[{"address":"198.18.0.7"}]`, "not among the targets"},
		{`"protocol":"icmp"`, `"protocol":"icmp","answers":[{"address":"198.18.0.1","outcome":"alive"}]`, "none of"},
		{`"protocol":"icmp"`, `"protocol":"icmp","answers":[{"address":"198.18.0.1"},{"address":"198.18.0.1"}]`, "stands twice"},
		{`"protocol":"icmp"`, `"protocol":"icmp","unsent":["198.18.0.1"],"answers":[{"address":"198.18.0.1"}]`, "cannot be unsent"},
		{`"protocol":"icmp"`, `"protocol":"icmp","answers":[{"address":"198.18.0.1","offset_ms":-1}]`, "offset_ms"},
		{`"protocol":"icmp"`, `"protocol":"icmp","answers":[{"address":"198.18.0.1","rtt_us":1e12}]`, "rtt_us"},
		{`"protocol":"icmp"`, `"protocol":"icmp","silent_ms":[1,2]`, "silent_ms has 2"},
		{`"space"`, `"kind":"core","space"`, "targets is missing"},
		{`"space"`, `"kind":"later","space"`, "none of"},
		{`"space"`, `"seed":"x","space"`, "seed"},
		{`"space"`, `"vantage_bad":[[2,1]],"space"`, "vantage_bad"},
		{`"space"`, `"vantage_ok":"yes","space"`, "vantage_ok"},
		{`"space"`, `"vantage_bad":[[0,1000000000000000]],"space"`, "vantage_bad[0]: [0,1000000000000000]: want -1728000000 to 1728000000"},
		{`"space"`, `"vantage_bad":[[1,2],[-9223372036854775808,1]],"space"`, "vantage_bad[1]"},
		{`"space"`, `"until_ms":1000000000000000,"space"`, "until_ms 1000000000000000: want 0 to"},
		{`"space"`, `"until_ms":10000000000000,"space"`, "until_ms"},
		{`"space"`, `"until_ms":9223372036854775807,"space"`, "until_ms"},
		{`"space"`, `"until_ms":-1,"space"`, "until_ms"},
		{`"space"`, `"span_ms":9223372036854775807,"space"`, "span_ms"},
		{`"space"`, `"span_ms":-1,"space"`, "span_ms"},
		{`"space"`, `"slack_ms":1728000001,"space"`, "slack_ms"},
		{`"space"`, `"timeout_ms":3600001,"space"`, "timeout_ms"},
		{`"space"`, `"timeout_ms":-1,"space"`, "timeout_ms"},
		{`"space"`, `"scale":9223372036854775807,"space"`, "scale"},
		{`"space"`, `"scale":1000000,"space"`, "scale"},
		{`"protocol":"icmp"`, `"protocol":"icmp","answers":[{"address":"198.18.0.1","offset_ms":1728000001}]`, "offset_ms"},
		{`"protocol":"icmp"`, `"protocol":"icmp","answers":[{"address":"198.18.0.1","outcome":"late","first_ms":1e10}]`, "first_ms"},
		{`"protocol":"icmp"`, `"protocol":"icmp","silent_ms":[1,2,3,1e10]`, "silent_ms"},
		{`"space"`, `"scale":500,"space":["198.18.0.0/30"],"probes":[{"protocol":"icmp","answers":[{"address":"198.18.0.1","rtt_us":4e9}]}],"x"`, "rtt_us"},
		{`:"2014-12-22T16`, `:"9999-12-22T16`, "start 9999-12-22T16:00:00.000Z: want 1970 to 2199"},
		{`:"2014-12-22T16`, `:"1969-12-31T16`, "start 1969-12-31T16:00:00.000Z: want 1970 to 2199"},
		{`:"2014-12-22T16`, `:"0000-12-22T16`, "start"},
		{`}]}`, `}]`, "unexpected end"},
	} {
		bad := strings.Replace(good, c.from, c.to, 1)
		if strings.HasPrefix(c.from, `:"2014`) {
			bad = strings.ReplaceAll(good, c.from, c.to)
		}
		r := probe.NewRoundReader(strings.NewReader(good + "\n" + bad + "\n"))
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		_, err := r.Next()
		var line *probe.LineError
		if !errors.As(err, &line) || line.Line != 2 || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\n gives %v, want line 2 and %q", bad, err, c.want)
		}
	}
	r := probe.NewRoundReader(strings.NewReader(strings.Replace(good, "16:00", "16:05", 1) + "\n" + good))
	r.Next()
	if _, err := r.Next(); err == nil || !strings.Contains(err.Error(), "sort the lines") {
		t.Errorf("lines out of order give %v", err)
	}
}

// An error of a line speaks of its fields, says no more of a value than is needed to find it, and never repeats what would
// move a terminal's cursor.
func TestReadMalformedWords(t *testing.T) {
	const good = `{"start":"2014-12-22T16:00:00Z","end":"2014-12-22T16:11:00Z","vantage":"x","space":["198.18.0.0/30"],"probes":[{"protocol":"icmp","answers":[{"address":"198.18.0.1"}]}]}`
	long := strings.Repeat("9", 1<<20)
	for _, c := range []struct{ from, to, want string }{
		{good, `[1,2]`, "line 1: want an object, not a JSON array"},
		{good, `17`, "line 1: want an object, not a JSON number"},
		{`"2014-12-22T16:00:00Z"`, `"yesterday"`, `field start: time "yesterday" is not RFC 3339`},
		{`"2014-12-22T16:11:00Z"`, `17`, "field end: time 17 is not a string"},
		{`"2014-12-22T16:00:00Z"`, `"` + long + `"`, "field start: time"},
		{`"x"`, `"x","seed":"` + "\u009b" + `2J"`, `seed "?2J"`},
		{`"x"`, long, "field vantage cannot be a JSON number"},
		{`"icmp"`, `"` + long + `"`, "protocol"},
		{`"198.18.0.1"`, `"` + long + `"`, "address"},
		{`"198.18.0.1"`, `17`, "field probes.answers.address cannot be a JSON number"},
		{`"198.18.0.1"`, `"198.18.0.1","rtt_us":"x"`, "field probes.answers.rtt_us cannot be a JSON string"},
		{`"x"`, `"x` + "\\" + `u001b[2Jy"`, `field vantage: "x\x1b[2Jy" has a control character`},
		{`"x"`, `"x` + "\\" + `ny"`, `field vantage`},
		{`"x"`, `"x` + "\u009b" + `2J"`, `field vantage`},
	} {
		_, err := probe.NewRoundReader(strings.NewReader(strings.Replace(good, c.from, c.to, 1))).Next()
		var line *probe.LineError
		switch {
		case !errors.As(err, &line) || !strings.Contains(err.Error(), c.want):
			t.Errorf("%.100s gives %.300v, want %q", c.to, err, c.want)
		case strings.Contains(err.Error(), "JSON ") && strings.Contains(err.Error(), "probe."), len(err.Error()) > 400:
			t.Errorf("%.100s gives %d bytes: %.300v", c.to, len(err.Error()), err)
		}
	}
}

// A round that stands twice is refused. Others of the same start are not: of another kind, or one line a protocol, a prefix or a
// vantage.
func TestReadTwice(t *testing.T) {
	const line = `{"start":"2014-12-22T16:00:00Z","end":"2014-12-22T16:11:00Z","kind":"KIND","space":["198.18.0.0/30"],"probes":[{"protocol":"icmp","targets":["198.18.0.0/31"]}]}` + "\n"
	of := func(kind string) string { return strings.Replace(line, "KIND", kind, 1) }
	later := strings.Replace(of("round"), "16:00", "16:01", 1)
	for _, c := range []struct {
		lines string
		bad   int // 0: none
	}{
		{of("round") + of("core") + of("confirm") + later, 0},
		{of("confirm") + of("core") + of("round") + later, 0},
		{of("round") + of("round"), 2},
		{of("round") + "\n" + of("core") + of("round") + later, 4},
		{of("core") + later + later, 3},
		{strings.Replace(line, `"kind":"KIND",`, "", 1) + of("round"), 2},
		{of("round") + strings.Replace(of("round"), "icmp", "tcp/80", 1) + strings.Replace(of("round"), "icmp", "dns", 1), 0},
		{of("round") + strings.Replace(of("round"), ".0/31", ".2/31", 1) + strings.Replace(of("round"), `"kind"`, `"vantage":"b","kind"`, 1), 0},
	} {
		r := probe.NewRoundReader(strings.NewReader(c.lines))
		var err error
		for err == nil {
			_, err = r.Next()
		}
		var line *probe.LineError
		switch {
		case c.bad == 0 && err != io.EOF:
			t.Errorf("%s gives %v", c.lines, err)
		case c.bad != 0 && (!errors.As(err, &line) || line.Line != c.bad || !strings.Contains(err.Error(), "stands twice")):
			t.Errorf("%s gives %v, want line %d", c.lines, err, c.bad)
		}
	}
}

// Lines of one round that are a prefix each, and say that this is the space, would make two spaces in turn of one.
func TestReadAnotherSpace(t *testing.T) {
	const line = `{"start":"2014-12-22T16:00:00Z","end":"2014-12-22T16:11:00Z","kind":"KIND","space":["198.18.0.0/24"],"probes":[{"protocol":"icmp"}]}` + "\n"
	of := func(kind, space string) string {
		return strings.NewReplacer("KIND", kind, "198.18.0.0/24", space).Replace(line)
	}
	var bad *probe.LineError
	r := probe.NewRoundReader(strings.NewReader(of("round", "198.18.0.0/24") + of("round", "198.18.1.0/24")))
	_, first := r.Next()
	if _, err := r.Next(); first != nil || !errors.As(err, &bad) || bad.Line != 2 || !strings.Contains(err.Error(), "give the whole space") {
		t.Errorf("%v, then %v, want an error of line 2", first, err)
	}
	r = probe.NewRoundReader(strings.NewReader(of("round", "198.18.0.0/24") + strings.Replace(of("round", "198.18.1.0/24"), "16:00", "16:01", 1)))
	if _, err := r.Next(); err != nil {
		t.Error(err)
	}
	if _, err := r.Next(); err != nil {
		t.Errorf("a space that changes: %v", err)
	}
}

// A space that changes with every round, over and over, is parts of one that take turns, each under its own name.
func TestReadSpacesInTurn(t *testing.T) {
	lines := func(n int, space func(int) int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `{"start":"2014-12-22T16:%02d:00Z","end":"2014-12-22T16:%02d:00Z","space":["198.18.%d.0/24"],"probes":[{"protocol":"icmp"}]}`+"\n",
				i, i+1, space(i))
		}
		return b.String()
	}
	for name, c := range map[string]struct {
		space func(int) int
		bad   int // 0: none
	}{
		"four in turn":        {func(i int) int { return i % 4 }, 17},
		"two in turn":         {func(i int) int { return i % 2 }, 15},
		"another every round": {func(i int) int { return i }, 0},
		"back and forth":      {func(i int) int { return i / 2 % 2 }, 0},
	} {
		r := probe.NewRoundReader(strings.NewReader(lines(50, c.space)))
		var err error
		for err == nil {
			_, err = r.Next()
		}
		var bad *probe.LineError
		if c.bad == 0 && err != io.EOF || c.bad != 0 && (!errors.As(err, &bad) || bad.Line != c.bad || !strings.Contains(err.Error(), "give the whole space")) {
			t.Errorf("%s: %v, want line %d", name, err, c.bad)
		}
	}
}

// Whatever is written is read back the same.
func TestRoundTripJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyRound(t)
		var buf bytes.Buffer
		if err := probe.NewRoundWriter(&buf).Write(want); err != nil {
			t.Fatal(err)
		}
		got, err := probe.NewRoundReader(&buf).Next()
		if err != nil {
			t.Fatal(err)
		}
		equal := cmp.Comparer(func(a, b probe.Space) bool { return a.Equal(b) })
		if diff := cmp.Diff(want, got, equal, cmpopts.EquateEmpty(), cmpopts.EquateComparable(probe.Protocol{}), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Fatal(diff)
		}
	})
}

// anyRound draws a valid round of 198.18.0.0/28.
func anyRound(t *rapid.T) *probe.Round {
	space, _ := probe.ParseSpace([]string{"198.18.0.0/28"}, nil)
	start := probe.Instant(1419264000000)
	r := &probe.Round{
		Kind:  rapid.SampledFrom([]probe.Kind{probe.Full, probe.Core, probe.Confirm}).Draw(t, "kind"),
		Start: start, End: start.Add(rapid.Int64Range(0, 660000).Draw(t, "end")),
		Span:      time.Duration(rapid.Int64Range(0, 660000).Draw(t, "span")) * time.Millisecond,
		VantageOK: rapid.Bool().Draw(t, "ok"), Unverified: rapid.Bool().Draw(t, "unverified"),
		Slack: rapid.Int64Range(0, 9).Draw(t, "slack"), Timeout: 3 * time.Second, Scale: rapid.Int64Range(1, 1080).Draw(t, "scale"),
		Space: space,
	}
	if r.Seeded = rapid.Bool().Draw(t, "seeded"); r.Seeded {
		r.Seed = rapid.Uint64().Draw(t, "seed")
	}
	for _, p := range []probe.Protocol{probe.ICMP, probe.TCP(80), probe.DNS} {
		pass := probe.Pass{Protocol: p, Targets: space}
		silent := 0
		for i := range int32(space.Len()) {
			switch rapid.IntRange(0, 2).Draw(t, "fate") {
			case 0:
				pass.Unsent = append(pass.Unsent, i)
			case 1:
				pass.Answers = append(pass.Answers, anyAnswer(t, i))
			default:
				silent++
			}
		}
		if rapid.Bool().Draw(t, "offsets") {
			pass.SilentMS = rapid.SliceOfN(rapid.Int32Range(-1, 660000), silent, silent).Draw(t, "silent")
		}
		r.Passes = append(r.Passes, pass)
	}
	return r
}

func anyAnswer(t *rapid.T, target int32) probe.Answer {
	a := probe.Answer{
		Target: target, Outcome: rapid.SampledFrom([]probe.Outcome{probe.Reply, probe.Refused, probe.Late, probe.Unreachable}).Draw(t, "outcome"),
		Offset: rapid.Int32Range(-1, 660000).Draw(t, "offset"), First: probe.UnknownOffset,
		RTT: probe.QuantiseRTT(rapid.Uint32Range(0, 1_000_000_000).Draw(t, "rtt")), // at the highest scale, half of what a line may last
	}
	if a.Outcome == probe.Late {
		a.First = rapid.Int32Range(-1, 660000).Draw(t, "first")
	}
	if a.Outcome == probe.Unreachable {
		a.Type, a.Code = rapid.Uint8().Draw(t, "type"), rapid.Uint8().Draw(t, "code")
	}
	return a
}

func TestQuantiseRTT(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		us := rapid.Uint32Range(0, 0xfe000000).Draw(t, "us")
		q := probe.QuantiseRTT(us)
		if q < us || float64(q) > float64(us)*1.016 || probe.QuantiseRTT(q) != q {
			t.Fatalf("%d becomes %d, then %d", us, q, probe.QuantiseRTT(q))
		}
	})
}

// Whatever the input, the reader neither panics nor loops, and what it accepts it writes and reads back.
func FuzzRoundReader(f *testing.F) {
	f.Add([]byte(exampleLines))
	f.Add([]byte(`{"start":"2014-12-22T16:00:00Z","end":"2014-12-22T16:11:00Z","kind":"core","space":["198.18.0.0/30","2001:db8::1"],"probes":[{"protocol":"dns","targets":["2001:db8::1"],"silent_ms":[null]}]}`))
	f.Add([]byte(`{"start":"2014-12-22T16:00:00Z","end":"2014-12-22T16:11:00Z","space":["198.18.0.0/30"],"vantage_bad":[[1,2]],"until_ms":5,"probes":[{"protocol":"tcp/80","unsent":["198.18.0.1"],"answers":[{"address":"198.18.0.2","outcome":"unreachable","type":3,"code":1,"from":"198.19.0.1"},{"address":"198.18.0.3","outcome":"timeout","offset_ms":7}]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<16 {
			return
		}
		in := probe.NewRoundReader(bytes.NewReader(b))
		for {
			r, err := in.Next()
			if err != nil {
				return
			}
			if r.Space.Len() > 1<<12 {
				return // slow, and no news
			}
			var buf bytes.Buffer
			if err := probe.NewRoundWriter(&buf).Write(r); err != nil {
				t.Fatal(err)
			}
			first := buf.String()
			again, err := probe.NewRoundReader(&buf).Next()
			if err != nil {
				t.Fatalf("%v of what was written:\n%s", err, first)
			}
			buf.Reset()
			if err := probe.NewRoundWriter(&buf).Write(again); err != nil || buf.String() != first {
				t.Fatalf("written again (%v):\n%s\nafter\n%s", err, buf.String(), first)
			}
		}
	})
}
