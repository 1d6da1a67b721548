package store

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// BenchmarkYear reads a store of a year of rounds, 11 minutes each; -benchtime 1x suffices.
func BenchmarkYear(b *testing.B) {
	const rounds = 365 * 24 * 60 / 11
	path := filepath.Join(b.TempDir(), "store.db")
	s, err := Open(path, Options{})
	if err != nil {
		b.Fatal(err)
	}
	s.db.NoSync = true
	for n := 0; n < rounds; n += 60 {
		var c Commit
		for k := n; k < min(n+60, rounds); k++ {
			r := somePopulation(b, k)
			c.Sealed = append(c.Sealed, r)
			c.Findings.Summaries = append(c.Findings.Summaries, someSummaries(r, k)...)
		}
		mustCommit(b, s, c)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for name, readOnly := range map[string]bool{"open for writing": false, "open for reading": true} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s, err := Open(path, Options{ReadOnly: readOnly})
				if err != nil {
					b.Fatal(err)
				}
				s.Close()
			}
		})
	}
	if s, err = Open(path, Options{ReadOnly: true}); err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for name, read := range map[string]func() error{
		"summaries": func() error { _, err := s.Summaries(outage.SpaceBlock, 0, 1<<60); return err },
		"hours":     func() error { _, err := s.Hours(outage.SpaceBlock, 0, 1<<60, false); return err },
		"verify":    func() error { return s.Verify(nil) },
		"rounds":    func() error { return drainTo(s.Export(0, 1<<60), func(*probe.Round) error { return nil }) },
		"address": func() error {
			for _, err := range s.Address(netip.MustParseAddr("198.18.0.3"), 0, 1<<60, true) {
				if err != nil {
					return err
				}
			}
			return nil
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := read(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCommit is a round's commit as the agent makes it, synced.
func BenchmarkCommit(b *testing.B) {
	s := openTest(b)
	n := 0
	for b.Loop() {
		r := somePopulation(b, n)
		mustCommit(b, s, Commit{Sealed: []*probe.Round{r}, Cursor: r.End, Findings: outage.Findings{Summaries: someSummaries(r, n)}})
		n++
	}
}

// BenchmarkCare commits rounds into the store of -year while old ones are pruned and it is compacted: how long does the
// slowest commit take?
func BenchmarkCare(b *testing.B) {
	if *yearDir == "" {
		b.Skip("name the folder of a year by -year")
	}
	whole, err := os.ReadFile(filepath.Join(*yearDir, "year.db"))
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.TempDir(), "year.db")
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		b.Fatal(err)
	}
	s, err := Open(path, Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	st, err := s.Stats()
	if err != nil {
		b.Fatal(err)
	}
	cared := make(chan error)
	began := time.Now()
	go func() {
		_, err := s.Prune(st.Cursor, Retention{Rounds: 200 * 24 * time.Hour, Summaries: 200 * 24 * time.Hour}, false)
		b.ReportMetric(time.Since(began).Seconds(), "prune-s")
		began := time.Now()
		_, after, errCompact := s.Compact(nil)
		b.ReportMetric(time.Since(began).Seconds(), "compact-s")
		b.ReportMetric(float64(after)/(1<<20), "MiB-after")
		cared <- errors.Join(err, errCompact)
	}()
	var slowest time.Duration
	for n := st.Rounds; ; n++ {
		r := somePopulation(b, n)
		at := time.Now()
		mustCommit(b, s, Commit{Sealed: []*probe.Round{r}, Cursor: r.End, Findings: outage.Findings{Summaries: someSummaries(r, n)}})
		slowest = max(slowest, time.Since(at))
		select {
		case err := <-cared:
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(slowest.Milliseconds()), "slowest-commit-ms")
			b.ReportMetric(float64(n-st.Rounds), "commits")
			return
		default:
		}
	}
}
