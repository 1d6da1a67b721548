package agent

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"brownout/probe"
	"brownout/probe/outage"
)

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "view", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// seen is the model after a simulated December of some hours.
func seen(t *testing.T, space, until string, step int64) *viewModel {
	w := newViewWorld(t, space)
	m := newViewModel("brownout demo december-2014", w.space, viewStart, viewStart.Add(36*3600_000))
	m.speed = 1080
	w.run(instantAt(until), step, m.take)
	return m
}

func TestLayout(t *testing.T) {
	m := seen(t, "198.18.0.0/22", "2014-12-22T14:29:00Z", 10_000)
	for _, c := range []struct {
		name       string
		cols, rows int
		color      bool
	}{
		{"22-80x24.txt", 80, 24, false},
		{"22-80x24-color.txt", 80, 24, true},
		{"22-120x40.txt", 120, 40, false},
		{"22-120x40-color.txt", 120, 40, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			golden(t, c.name, strings.Join(layout(m, c.cols, c.rows, paint{c.color}), "\n")+"\n")
		})
	}
}

// TestLayoutFits draws spaces of many sizes on terminals of many sizes: no frame is larger than its terminal.
func TestLayoutFits(t *testing.T) {
	for _, space := range []string{"198.18.0.7", "198.18.0.0/28", "198.18.0.0/24", "198.18.0.0/20"} {
		m := seen(t, space, "2014-12-22T10:39:00Z", 30_000)
		for _, cols := range []int{40, 60, 80, 100, 120, 300} {
			for _, rows := range []int{8, 12, 24, 40, 70} {
				lines := layout(m, cols, rows, paint{})
				if len(lines) >= rows {
					t.Errorf("%s on %dx%d: %d lines", space, cols, rows, len(lines))
				}
				for _, l := range lines {
					if n := utf8.RuneCountInString(l); n > cols {
						t.Errorf("%s on %dx%d: a line of %d: %q", space, cols, rows, n, l)
					}
				}
			}
		}
		golden(t, strings.NewReplacer("/", "-", ".", "-").Replace(space)+".txt", strings.Join(layout(m, 80, 24, paint{}), "\n")+"\n")
	}
}

func TestLayoutBeforeTheFirstRound(t *testing.T) {
	m := newViewModel("brownout watch", probe.Space{}, 0, 0)
	if lines := layout(m, 80, 24, paint{}); !strings.Contains(strings.Join(lines, "\n"), "waiting for the first round") {
		t.Errorf("%q", lines)
	}
}

func TestPlainLines(t *testing.T) {
	w := newViewWorld(t, "198.18.0.0/22")
	var out bytes.Buffer
	v := newLiveView(&out, liveOptions{Title: "demo", Space: w.space, From: viewStart, To: viewStart.Add(36 * 3600_000)})
	w.run(instantAt("2014-12-22T17:05:00Z"), 10_000, v.show)
	v.close()
	golden(t, "plain.txt", out.String())
}

// TestTerminal checks what is written around the frames: at most one in 100 ms, and a cursor that is given back.
func TestTerminal(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	v := newLiveView(&out, liveOptions{Title: "demo", Terminal: true})
	v.clock = func() time.Time { return now }
	for range 100 {
		now = now.Add(10 * time.Millisecond)
		v.show(engineView{Now: probe.Instant(now.UnixMilli() * 1000)})
	}
	if n := strings.Count(out.String(), holdFrame); n != 10 {
		t.Errorf("%d frames in a second, want 10", n)
	}
	v.close()
	if s := out.String(); !strings.HasSuffix(s, "\r\n"+showCursor) || strings.Contains(s, "\x1b[?1049h") {
		t.Errorf("ends with %q", s[max(0, len(s)-40):])
	}
}

func TestRenderOutages(t *testing.T) {
	at := func(s string) probe.Instant { return instantAt("2014-12-" + s + "Z") }
	around := func(s string, before, after int64) outage.Interval {
		return outage.Interval{Earliest: at(s).Add(-before * 1000), At: at(s), Latest: at(s).Add(after * 1000)}
	}
	until := func(i outage.Interval) *outage.Interval { return &i }
	found := func(kind outage.State, start outage.Interval, end *outage.Interval, phases ...outage.Phase) outage.Outage {
		if phases == nil {
			phases = []outage.Phase{{Kind: kind, Start: start, End: end}}
		}
		return outage.Outage{Block: outage.SpaceBlock, Kind: kind, Start: start, End: end, Phases: phases}
	}
	total := around("22T16:15:04", 6, 36)
	back := until(around("23T01:46:10", 20, 30))
	list := []outage.Outage{
		found(outage.Partial, around("22T10:34:03", 5, 50), until(around("22T10:41:20", 30, 5))),
		found(outage.Partial, around("22T12:00:00", 5, 5), until(around("22T12:04:00", 5, 5))),
		found(outage.Total, around("22T16:09:00", 6, 36), until(around("23T01:50:00", 9, 9)),
			outage.Phase{Kind: outage.Partial, Start: around("22T16:09:00", 6, 36), End: until(total)},
			outage.Phase{Kind: outage.Total, Start: total, End: back},
			outage.Phase{Kind: outage.Partial, Start: *back, End: until(around("23T01:50:00", 9, 9))}),
		found(outage.Partial, around("23T15:42:00", 5, 5), nil),
	}
	truth := []truthOutage{
		{outage.SpaceBlock, outage.Partial, at("22T08:41:20"), at("22T08:44:05"), "", true},
		{outage.SpaceBlock, outage.Partial, at("22T10:34:00"), at("22T10:41:30"), "", true},
		{outage.SpaceBlock, outage.Total, at("22T16:15:00"), at("23T01:46:00"), "", false},
		{outage.SpaceBlock, outage.Total, at("23T07:57:00"), at("23T08:00:00"), "a blip", false},
		{outage.SpaceBlock, outage.Total, at("23T15:41:00"), at("23T16:12:00"), "", false},
	}
	for name, color := range map[string]bool{"outages.txt": false, "outages-color.txt": true} {
		var out bytes.Buffer
		renderOutages(&out, list, truth, color)
		golden(t, name, out.String())
	}
	var out bytes.Buffer
	renderOutages(&out, nil, nil, false)
	golden(t, "no-outages.txt", out.String())
}

// TestLogOfPhases says of an outage that was total for a while for how long.
func TestLogOfPhases(t *testing.T) {
	at := func(second int64) outage.Interval {
		i := probe.Instant(second * 1000)
		return outage.Interval{Earliest: i, At: i, Latest: i}
	}
	dark, lit, end := at(35), at(56), at(66)
	o := outage.Outage{ID: "space-1", Block: outage.SpaceBlock, Kind: outage.Total, Status: outage.Ended, Start: at(0), End: &end, Phases: []outage.Phase{
		{Kind: outage.Partial, Start: at(0), End: &dark}, {Kind: outage.Total, Start: dark, End: &lit}, {Kind: outage.Partial, Start: lit, End: &end}}}
	var l viewLog
	l.outage(end.At, o)
	if got := l.lines[len(l.lines)-1].What; got != "total ended (21s of 1m06s)" {
		t.Errorf("it says %q", got)
	}
}

// TestLogForgets: a view that is left open for years keeps the latest outages only.
func TestLogForgets(t *testing.T) {
	var l viewLog
	for i := range 3 * keptOutages {
		at := probe.Instant(i * 1000)
		o := outage.Outage{ID: fmt.Sprint(i), Kind: outage.Total, Phases: []outage.Phase{{Kind: outage.Total}}}
		l.outage(at, o)
		o.End = &outage.Interval{At: at.Add(500)}
		l.outage(at, o)
	}
	if len(l.latest) != keptOutages || len(l.lines) != keptLines || l.count != 2*3*keptOutages {
		t.Errorf("%d outages and %d lines are kept, of %d", len(l.latest), len(l.lines), l.count)
	}
}
