package agent

import (
	"path/filepath"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
	"brownout/store"
)

// oldRounds is a store of five and a half hours with a total outage, and of nearly four hours twenty days later.
func oldRounds(t *testing.T) (path string, s *store.Store) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "s.db")
	s, err := store.Open(path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	d := outage.New(outage.Config{})
	for i := range 51 {
		r := fixtureRound(i % 30)
		if i >= 30 {
			later := int64(20 * 24 * time.Hour / time.Millisecond)
			r.Start, r.End = r.Start.Add(later), r.End.Add(later)
		}
		if err := d.Put(r); err != nil {
			t.Fatal(err)
		}
		findings := d.Advance(r.End.Add(-1000))
		snapshot, err := d.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Commit(store.Commit{Sealed: []*probe.Round{r}, Findings: findings, Detector: snapshot, Cursor: d.Cursor()}); err != nil {
			t.Fatal(err)
		}
	}
	return path, s
}

// TestWordsOfWhatWasDropped: what retention dropped was there, and is not told as never measured or as no outage.
func TestWordsOfWhatWasDropped(t *testing.T) {
	path, s := oldRounds(t)
	now := instantAt("2026-03-21T04:00:00Z")
	days := func(n int) time.Duration { return time.Duration(n) * 24 * time.Hour }
	prune := func(r store.Retention) {
		t.Helper()
		if p, err := s.Prune(now, r, false); err != nil || p.Rounds+p.Hours+p.Outages == 0 {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	says := func(want string, args ...string) {
		t.Helper()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if got := string(runOK(t, append(args, "--store", path)...)); got != want+"\n" {
			t.Errorf("%q: %q, want %q", args, got, want)
		}
		var err error
		if s, err = store.Open(path, store.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	defer func() { s.Close() }()
	quiet := []string{"--since", "2026-03-01T01:00:00Z", "--until", "2026-03-01T03:00:00Z"}
	gap := []string{"--since", "2026-03-10", "--until", "2026-03-11"}
	of := func(span []string, args ...string) []string { return append(args, span...) }

	says("No outages.", of(quiet, "outages")...)
	says("No outages; nothing was measured in that time.", of(gap, "outages")...)
	prune(store.Retention{Rounds: days(10)})
	says("No outages; the rounds of that time were dropped.", of(quiet, "outages", "--blocks")...)
	says("No outages; nothing was measured in that time.", of(gap, "outages")...)
	says("No outages.", "outages", "--since", "2026-03-21")
	says("No outages; the rounds of that time were dropped.", "outages", "--until", "2026-03-02", "--kind", "partial", "--status", "ongoing")
	says("No rounds; those of before 2026-03-21 00:00:00 UTC were dropped.", of(quiet, "rounds")...)
	says("No rounds.", of(gap, "rounds")...)
	says("No rounds.", "rounds", "--since", "2026-03-22")
	says("No probes of 198.18.0.3; the rounds of before 2026-03-21 00:00:00 UTC were dropped.", of(quiet, "address", "198.18.0.3")...)
	says("No probes of 198.18.0.3.", of(gap, "address", "198.18.0.3")...)
	prune(store.Retention{Hours: days(10)})
	says("No rounds; hours of before 2026-03-21 00:00:00 UTC were dropped.", of(quiet, "rounds", "--by", "day", "--block", "198.18.1.0/24")...)
	prune(store.Retention{Outages: days(10)})
	says("It is not known which outages there were; those of that time were dropped.", "outages")
	says("It is not known which outages there were; those of that time were dropped.", "outages", "--block", "198.18.0.0/24", "--until", "2026-03-02", "--kind", "total")
	says("No outages; the rounds of that time were dropped.", of(quiet, "outages")...)
	says("No outages.", "outages", "--since", "2026-03-21")
}
