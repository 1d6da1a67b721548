package store

import (
	"testing"

	bolt "go.etcd.io/bbolt"

	"brownout/probe"
	"brownout/probe/outage"
)

// lose deletes a record behind the store's back.
func lose(t *testing.T, s *Store, bucket, k []byte) {
	t.Helper()
	if err := s.db.Update(func(tx *bolt.Tx) error { return tx.Bucket(bucket).Delete(k) }); err != nil {
		t.Fatal(err)
	}
}

// A lost round is missed by whoever reads the time in which it was, from either end, and by those who ask for it.
func TestLostRound(t *testing.T) {
	const rounds = 200
	for _, lost := range []int{0, 1, 63, 64, 65, 128, rounds - 1} {
		s, err := Open(t.TempDir()+"/store.db", Options{})
		if err != nil {
			t.Fatal(err)
		}
		s.db.NoSync = true
		var all []*probe.Round
		for n := range rounds {
			all = append(all, somePopulation(t, n))
		}
		mustCommit(t, s, Commit{Sealed: all, Cursor: all[rounds-1].End})
		at := all[lost].Start
		lose(t, s, bucketRounds, keyOf(all[lost]).bytes())
		for _, newestFirst := range []bool{false, true} {
			wantError(t, drain(s, 0, 1<<60, newestFirst), nil, "missing")
			wantError(t, drain(s, at, at+1, newestFirst), nil, "missing")
			if lost > 1 {
				if err := drain(s, 0, all[lost-1].Start, newestFirst); err != nil {
					t.Errorf("before round %d: %v", lost, err)
				}
			}
		}
		_, err = s.Round(at, probe.Full)
		wantError(t, err, nil, "missing")
		wantError(t, drainTo(s.Export(0, 1<<60), func(*probe.Round) error { return nil }), nil, "missing")
		wantError(t, s.Verify(nil), nil, "missing", "199 rounds")
		if r, err := s.Round(all[rounds/2].Start+1, probe.Full); r != nil || err != nil {
			t.Errorf("a round that never was: %v, %v", r, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func drain(s *Store, from, to probe.Instant, newestFirst bool) error {
	for _, err := range s.Rounds(from, to, newestFirst) {
		if err != nil {
			return err
		}
	}
	return nil
}

// Of the other records too, none can be lost unnoticed.
func TestLostFinding(t *testing.T) {
	for _, bucket := range [][]byte{bucketOutages, bucketByStart, bucketChanges, bucketSummaries, bucketHours, bucketBlocks, bucketEpochs} {
		s, err := Open(t.TempDir()+"/store.db", Options{})
		if err != nil {
			t.Fatal(err)
		}
		s.db.NoSync = true
		for n := range 70 {
			r := somePopulation(t, n)
			mustCommit(t, s, Commit{Sealed: []*probe.Round{r}, Findings: outage.Findings{Summaries: someSummaries(r, n)[:1],
				Outages: []outage.Outage{someOutage(r.Start, true)}, Changes: []outage.Change{change(outage.Up, int64(n))}}})
		}
		var last []byte
		err = s.view(func(tx *bolt.Tx) error {
			k, _ := tx.Bucket(bucket).Cursor().Last()
			last = append(last, k...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		lose(t, s, bucket, last)
		_, readErr := readAll(s)
		if _, err := s.Spaces(); readErr == nil {
			readErr = err
		}
		if readErr == nil || s.Verify(nil) == nil {
			t.Errorf("the last of %s is lost: reading gives %v, and it verifies with %v", bucket, readErr, s.Verify(nil))
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
