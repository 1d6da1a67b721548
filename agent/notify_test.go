package agent

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"brownout/agent/notify"
	"brownout/probe/lab"
	"brownout/probe/outage"
	"brownout/store"
)

var december = flag.Bool("december", false, "whether to play the demo of December 2014 and count what is told")

// TestEngineTells kills the engine in the middle of an outage and lets another go on: each transition of the space is told
// once, and so is what befalls us.
func TestEngineTells(t *testing.T) {
	s := simulated{name: "tells", hours: 2, round: "1m", core: "0s", timeline: phase("01T00:30:20", "01T00:50:20", "total") +
		phase("01T01:30:20", "01T01:45:20", "uplink-down")}
	scenario := s.scenario(t, 1)
	path := filepath.Join(t.TempDir(), "engine.db")
	copied := path + ".killed"
	synctest.Test(t, func(t *testing.T) {
		openNotices(t, path)
		engineLife(t, scenario, path, scenario.Start.Add(40*60_000), copied)
		engineLife(t, scenario, copied, scenario.Start.Add(60*60_000), "")
		time.Sleep(10 * time.Minute) // no agent runs
		engineLife(t, scenario, copied, scenario.End, "")
	})
	want := []string{"space opened total", "space became-partial partial", "space ended up", "agent agent-late up", "vantage vantage-lost up", "vantage vantage-back up"}
	if got := toldIn(t, copied); !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

// openNotices makes a store that keeps notices.
func openNotices(t *testing.T, path string) {
	t.Helper()
	s, err := store.Open(path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.OpenNotices([]string{"test"}); err != nil {
		t.Fatal(err)
	}
}

// toldIn is the transitions in a store's notices, but for those of blocks.
func toldIn(t *testing.T, path string) (list []string) {
	t.Helper()
	s, err := store.Open(path, store.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	notices, err := s.Undelivered("test", 1000)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, stored := range notices {
		var n notify.Notice
		if err := json.Unmarshal(stored.Body, &n); err != nil {
			t.Fatal(err)
		}
		for _, tr := range n.Transitions {
			if seen[tr.ID] {
				t.Errorf("%s was told twice", tr.ID)
			}
			seen[tr.ID] = true
			if !strings.Contains(n.Subject, "/") {
				list = append(list, fmt.Sprintf("%s %s %v", n.Subject, tr.What, tr.Kind))
			}
		}
	}
	return list
}

// TestCalmBeforeDecember22 tells at most three times of the instability before the total outage, and of that at once.
func TestCalmBeforeDecember22(t *testing.T) {
	if !*december {
		return // the demo takes a calm machine for half a minute
	}
	scenario, err := lab.Builtin("december-2014")
	if err != nil {
		t.Fatal(err)
	}
	p := notify.NewPlanner("demo", scenario.Demo.Round)
	var told []*notify.Notice
	format := "json"
	a := &app{stdout: io.Discard, stderr: io.Discard, talk: talk{io.Discard}}
	_, err = a.playDemo(t.Context(), &demoOptions{speed: 1080, format: &format, inProcess: true, committed: func(f outage.Findings) {
		for i := range f.Outages {
			p.Outage(&f.Outages[i], f.Judged)
		}
		told = append(told, p.Due(f.Judged)...)
	}}, scenario)
	if err != nil {
		t.Fatal(err)
	}
	before := 0
	for _, n := range told {
		if n.Subject != outage.SpaceBlock {
			continue
		}
		t.Logf("%v: %v %d transitions, grouped %v", n.At, n.Severity, len(n.Transitions), n.Grouped)
		if n.Severity == notify.Critical {
			break
		}
		before++
	}
	if before < 1 || before > 3 {
		t.Errorf("%d notices before the total outage", before)
	}
}
