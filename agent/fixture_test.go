package agent

import (
	"cmp"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
	"brownout/store"
)

var update = flag.Bool("update", false, "write testdata/rounds.jsonl anew")

// fixture is rounds of a small space with a total outage and a dark block in it.
const fixture = "testdata/rounds.jsonl"

// TestFixtureIsCurrent proves that the recorded rounds are those that this file describes.
func TestFixtureIsCurrent(t *testing.T) {
	path := t.TempDir() + "/rounds.jsonl"
	if *update {
		path = fixture
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := probe.NewRoundWriter(f)
	if err := w.Header(24, 3*time.Second, 1); err != nil {
		t.Fatal(err)
	}
	for i := range 36 {
		if err := w.Write(fixtureRound(i)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(fixture)
	if err != nil || string(got) != string(want) {
		t.Errorf("%s is not current (%v): run the test with -update", fixture, err)
	}
}

const fixtureSpan = 11 * time.Minute

var fixtureStart = probe.InstantOf(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))

// fixtureRound is the ith round: all dark from 04:00 to 04:50, 198.18.1.0/28 dark from 05:40 on.
func fixtureRound(i int) *probe.Round {
	space, _ := probe.ParseSpace([]string{"198.18.0.0/25", "198.18.1.0/28"}, nil)
	start := fixtureStart.Add(int64(i) * fixtureSpan.Milliseconds())
	r := &probe.Round{
		Start: start, End: start.Add(fixtureSpan.Milliseconds()), Span: fixtureSpan, Seed: uint64(i) + 1, Seeded: true,
		Vantage: "test", VantageOK: true, Space: space, Timeout: 3 * time.Second, Scale: 1,
		Passes: []probe.Pass{{Protocol: probe.ICMP, Targets: space}, {Protocol: probe.TCP(80), Targets: space}},
	}
	plan := r.Plan()
	for pass := range r.Passes {
		p := &r.Passes[pass]
		for target := range int32(space.Len()) {
			offset := int32(plan.Offset(pass, int(target)).Milliseconds())
			at := start.Add(int64(offset)).Time()
			if lives(space.Addr(int(target)), p.Protocol, at) {
				p.Answers = append(p.Answers, probe.Answer{
					Target: target, Outcome: probe.Reply, Offset: offset, First: probe.UnknownOffset,
					RTT: probe.QuantiseRTT(200_000 + uint32(target)*100),
				})
			}
		}
		slices.SortFunc(p.Answers, func(a, b probe.Answer) int { return cmp.Compare(a.Target, b.Target) })
	}
	return r
}

func lives(a netip.Addr, p probe.Protocol, at time.Time) bool {
	low := a.As4()
	host := low[3]%8 == 3 && (p.IsICMP() || low[3]%16 == 3) || low[2] == 1 && low[3]%4 == 1
	minute := at.Sub(fixtureStart.Time()).Minutes()
	dark := minute >= 240 && minute < 290 || low[2] == 1 && minute >= 340
	return host && !dark
}

// fillStore makes a store of recorded rounds, as an agent would have.
func fillStore(path, rounds string) error {
	f, err := os.Open(rounds)
	if err != nil {
		return err
	}
	defer f.Close()
	s, err := store.Open(path, store.Options{Version: "test"})
	if err != nil {
		return err
	}
	defer s.Close()
	d := outage.New(outage.Config{})
	in := probe.NewRoundReader(f)
	for {
		r, err := in.Next()
		if err != nil {
			return nil // the end, for TestFixtureIsCurrent reads the whole file
		}
		if err := d.Put(r); err != nil {
			return err
		}
		findings := d.Advance(r.End.Add(-1000)) // the round's last second is judged with the next
		snapshot, err := d.MarshalBinary()
		if err != nil {
			return err
		}
		if err := s.Commit(store.Commit{Sealed: []*probe.Round{r}, Findings: findings, Detector: snapshot, Cursor: d.Cursor()}); err != nil {
			return err
		}
	}
}

// fixtureStore is the path of a store of the recorded rounds.
func fixtureStore(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s.db")
	if err := fillStore(path, fixture); err != nil {
		t.Fatal(err)
	}
	return path
}
