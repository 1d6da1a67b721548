package store

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"brownout/probe"
)

var (
	yearDir    = flag.String("year", "", "write a simulated year into this folder: year.db, year-presence.db, full.db, and presence and RTTs for others")
	yearRounds = flag.Int("year-rounds", 365*24*60/11, "how many rounds of 11 minutes a year has")
)

// TestWriteYear writes what .ci/compare weighs beside other databases. It is no test where no folder is named.
func TestWriteYear(t *testing.T) {
	if *yearDir == "" {
		return
	}
	write := func(name string, round func(n int) *probe.Round) {
		path := filepath.Join(*yearDir, name)
		s, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		s.db.NoSync = true
		for n := range *yearRounds {
			r := round(n)
			half := *r
			half.End = half.Start.Add(300_000)
			half.Passes = nil
			c := Commit{Sealed: []*probe.Round{r}, Cursor: r.End, Detector: make([]byte, 16<<10)}
			c.Findings.Summaries = someSummaries(r, n)
			if n%240 == 0 { // 200 outages a year
				c.Findings.Outages = append(c.Findings.Outages, someOutage(r.Start, n%480 == 0))
			}
			mustCommit(t, s, Commit{Rounds: []*probe.Round{&half}, Cursor: half.End, Detector: c.Detector})
			mustCommit(t, s, c)
		}
		closeVerified(t, s)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d rounds, %d bytes, %.1f a round", name, *yearRounds, info.Size(), float64(info.Size())/float64(*yearRounds))
	}
	write("year.db", func(n int) *probe.Round { return somePopulation(t, n) })
	write("year-presence.db", func(n int) *probe.Round { return presenceOnly(somePopulation(t, n)) })
	f, err := os.Create(filepath.Join(*yearDir, "answers.csv"))
	if err != nil {
		t.Fatal(err)
	}
	for n := range *yearRounds {
		r := somePopulation(t, n)
		for i := range r.Passes {
			for k := range r.Passes[i].Answers {
				a := &r.Passes[i].Answers[k]
				fmt.Fprintf(f, "%d,%d,%d,%d\n", int64(r.Start)/1000, i, a.Target, a.RTT)
			}
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// presenceOnly forgets when and how fast they answered.
func presenceOnly(r *probe.Round) *probe.Round {
	for i := range r.Passes {
		for k := range r.Passes[i].Answers {
			a := &r.Passes[i].Answers[k]
			a.RTT, a.Offset = 0, probe.UnknownOffset
		}
	}
	return r
}

// fullPopulation is a round in which every address answers by three protocols.
func fullPopulation(t testing.TB, n int) *probe.Round {
	r := somePopulation(t, n)
	r.Passes = r.Passes[:3]
	plan := r.Plan()
	for i := range r.Passes {
		r.Passes[i].Answers = make([]probe.Answer, r.Space.Len())
		for target := range r.Space.Len() {
			base := 170_000 + mixed(uint64(target))%400_000
			r.Passes[i].Answers[target] = probe.Answer{
				Target: int32(target), Outcome: probe.Reply, First: probe.UnknownOffset,
				Offset: int32(plan.Offset(i, target).Milliseconds()),
				RTT:    probe.QuantiseRTT(uint32(base + mixed(uint64(n)<<30|uint64(i)<<20|uint64(target))%8_000)),
			}
		}
	}
	return r
}

// A space of which every address answers by three protocols takes 4 KB a round at the most.
func TestBytesPerFullRound(t *testing.T) {
	const rounds = 128
	s := openTest(t)
	s.db.NoSync = true
	for n := range rounds {
		mustCommit(t, s, Commit{Sealed: []*probe.Round{fullPopulation(t, n)}})
	}
	used, err := s.InUse()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d answers: %d bytes a round", 3*1024, used/rounds)
	if used/rounds > 4096 {
		t.Errorf("%d bytes a round", used/rounds)
	}
}
