package store

import (
	"flag"
	"os"
	"testing"

	bolt "go.etcd.io/bbolt"

	"brownout/probe"
	"brownout/probe/outage"
)

var sizeRounds = flag.Int("size-rounds", 1500, "how many rounds are measured")

// someSummaries is what a detector says of a round of somePopulation.
func someSummaries(r *probe.Round, n int) []outage.Summary {
	var all []outage.Summary
	for i, block := range []string{outage.SpaceBlock, "198.18.0.0/24", "198.18.1.0/24", "198.18.2.0/24", "198.18.3.0/24"} {
		x := mixed(uint64(n*8 + i))
		m := outage.Summary{Start: r.Start, End: r.End, Block: block, State: outage.Unobservable, Targets: 256}
		if i%2 == 0 {
			m.State, m.Expected, m.Observed = outage.Up, outage.Decimal(180_000/(i+1)+int(x%3000)), 18/(i+1)-int(x>>16&1)
			m.Responsive = m.Observed + 1
			for p := range m.RTT {
				m.RTT[p] = probe.QuantiseRTT(uint32(180_000 + p*80_000 + int(x%9_000)))
			}
		}
		all = append(all, m)
	}
	return all
}

// Years fit on a small disk: bytes per round in the record and in the file, summaries and bookkeeping included. The figure
// that binds is 400 in the file.
func TestBytesPerRound(t *testing.T) {
	rounds := *sizeRounds
	s := openTest(t)
	s.db.NoSync = true // only sizes matter
	snapshot := make([]byte, 16<<10)
	for n := range rounds {
		r := somePopulation(t, n)
		half := *r
		half.End = half.Start.Add(300_000)
		half.Passes = nil
		mustCommit(t, s, Commit{Rounds: []*probe.Round{&half}, Cursor: half.End, Detector: snapshot})
		mustCommit(t, s, Commit{Sealed: []*probe.Round{r}, Cursor: r.End, Detector: snapshot,
			Findings: outage.Findings{Summaries: someSummaries(r, n)}})
	}
	info, err := os.Stat(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]int{}
	err = s.view(func(tx *bolt.Tx) error {
		for _, name := range bucketNames {
			st := tx.Bucket(name).Stats()
			used[string(name)] = (st.LeafAlloc + st.BranchAlloc) / rounds
			t.Logf("%-10s %6d records, %4d bytes in leaves a round, %4d allocated", name, st.KeyN, st.LeafInuse/rounds, used[string(name)])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	rec := record{round: somePopulation(t, 1), linked: true, before: key{start: epoch}}
	b, err := appendRecord(nil, &rec, s.frames)
	if err != nil {
		t.Fatal(err)
	}
	perRound := (info.Size() - growSize) / int64(rounds) // less the reserve by which the file grows
	t.Logf("%d answers: %d bytes in the value, %d in the file", answers(rec.round), len(b), perRound)
	if perRound > 400 {
		t.Errorf("%d bytes a round in the file", perRound)
	}
}

func answers(r *probe.Round) (n int) {
	for i := range r.Passes {
		n += len(r.Passes[i].Answers)
	}
	return n
}
