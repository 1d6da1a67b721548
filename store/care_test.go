package store

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// commitDays commits rounds of so many days, with summaries, and an outage a day, from a round on.
func commitDays(t testing.TB, s *Store, from, rounds int) {
	t.Helper()
	var c Commit
	for n := from; n < from+rounds; n++ {
		r := somePopulation(t, n)
		c.Sealed = append(c.Sealed, r)
		c.Cursor = r.End
		c.Findings.Summaries = append(c.Findings.Summaries, someSummaries(r, n)...)
		if n%130 == 0 {
			c.Findings.Outages = append(c.Findings.Outages, someOutage(r.Start, true))
		}
		if n%50 == 49 || n == from+rounds-1 {
			mustCommit(t, s, c)
			c = Commit{}
		}
	}
}

// What is older than is wanted goes, by kind; what is needed stays, and everything that stays can still be read.
func TestPrune(t *testing.T) {
	s := openTest(t)
	s.db.NoSync = true
	s.packAt = 40
	const rounds = 131 * 14
	commitDays(t, s, 0, rounds)
	was, err := readAll(s)
	if err != nil {
		t.Fatal(err)
	}
	now := was.cursor
	if p, err := s.Prune(now, Retention{}, false); err != nil || p != (Pruned{}) {
		t.Errorf("with nothing to drop: %+v, %v", p, err)
	}
	r := Retention{Rounds: time.Hour, Summaries: 10 * 24 * time.Hour, Hours: 11 * 24 * time.Hour}
	would, err := s.Prune(now, r, true)
	if err != nil {
		t.Fatal(err)
	}
	if same, err := readAll(s); err != nil || !reflect.DeepEqual(was, same) {
		t.Errorf("a dry run changes something, %v", err)
	}
	did, err := s.Prune(now, r, false)
	freed := did.Freed
	did.Freed = 0
	if err != nil || did != would || freed == 0 || did.Rounds == 0 || did.Summaries == 0 || did.Hours == 0 || did.Outages != 0 {
		t.Errorf("dropped %+v and %d bytes, %v; would drop %+v", did, freed, err, would)
	}
	is, err := readAll(s)
	if err != nil {
		t.Fatal(err)
	}
	gone := len(was.rounds) - len(is.rounds)
	floor := now.Add(-relearnSpan - dayMS)
	if gone != did.Rounds || !reflect.DeepEqual(is.rounds, was.rounds[gone:]) || is.rounds[0].Start >= floor || is.rounds[0].Start < floor.Add(-40*660_000) {
		t.Errorf("%d rounds are gone, and the first is of %v", gone, is.rounds[0].Start)
	}
	if n := len(was.summaries) - len(is.summaries); !reflect.DeepEqual(is.summaries, was.summaries[n:]) || n == 0 {
		t.Errorf("%d summaries are gone", n)
	}
	if n := len(was.hours) - len(is.hours); !reflect.DeepEqual(is.hours, was.hours[n:]) || n == 0 {
		t.Errorf("%d hours are gone", n)
	}
	if !reflect.DeepEqual(is.outages, was.outages) {
		t.Error("outages are gone")
	}
	commitDays(t, s, rounds, 131)
	if did, err = s.Prune(now, Retention{Outages: 24 * time.Hour}, false); err != nil || did.Outages == 0 || did.Rounds > 0 {
		t.Errorf("dropped %+v, %v", did, err)
	}
	if _, err := s.Outages(); err != nil {
		t.Error(err)
	}
}

// A store that should be smaller loses its oldest rounds, and stops at what is needed.
func TestPruneBySize(t *testing.T) {
	s := openTest(t)
	s.db.NoSync = true
	s.packAt = 40
	commitDays(t, s, 0, 131*12)
	before, err := s.InUse()
	if err != nil {
		t.Fatal(err)
	}
	most := before * 9 / 10
	did, err := s.Prune(1<<60, Retention{MaxSize: most}, false)
	if after, errUse := s.InUse(); err != nil || errUse != nil || after > most || did.Rounds == 0 || did.Summaries != 0 || did.Freed < before-most {
		t.Errorf("%d bytes of %d, dropped %+v, %v", after, before, did, errors.Join(err, errUse))
	}
	if _, err := s.Prune(1<<60, Retention{MaxSize: 1}, false); err != nil {
		t.Error(err)
	}
	st, err := s.Stats()
	if err != nil || st.First > st.Cursor.Add(-relearnSpan) {
		t.Errorf("the first round is of %v, judged up to %v, %v", st.First, st.Cursor, err)
	}
}

// An outage that lasts keeps the rounds before it.
func TestPruneKeepsWhatLasts(t *testing.T) {
	s := openTest(t)
	s.db.NoSync = true
	s.packAt = 40
	o := someOutage(somePopulation(t, 600).Start, true)
	o.End, o.Status, o.Phases[0].End = nil, outage.Ongoing, nil
	o.ID, o.Block = "198.18.1.0/24-1", "198.18.1.0/24"
	mustCommit(t, s, Commit{Findings: outage.Findings{Outages: []outage.Outage{o}}})
	commitDays(t, s, 1, 131*12)
	if did, err := s.Prune(1<<60, Retention{Rounds: time.Hour, Outages: time.Hour}, false); err != nil || did.Rounds > 0 {
		t.Errorf("dropped %+v, %v", did, err)
	}
}

// A compacted store says what it said, is smaller, and goes on.
func TestCompact(t *testing.T) {
	s := openTest(t)
	s.db.NoSync = true
	s.packAt = 40
	commitDays(t, s, 0, 131*12)
	if _, err := s.Prune(1<<60, Retention{Rounds: time.Hour, Summaries: time.Hour}, false); err != nil {
		t.Fatal(err)
	}
	want, err := readAll(s)
	if err != nil {
		t.Fatal(err)
	}
	steps := 0
	before, after, err := s.Compact(func(done, total int) { steps++ })
	if err != nil || after >= before || steps == 0 {
		t.Errorf("%d bytes become %d, %d steps, %v", before, after, steps, err)
	}
	if got, err := readAll(s); err != nil || !reflect.DeepEqual(want, got) {
		t.Errorf("it says something else, %v", err)
	}
	if _, err := Open(s.Path(), Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("the new file is not locked: %v", err)
	}
	mustCommit(t, s, Commit{Sealed: []*probe.Round{somePopulation(t, 9000)}})
	closeVerified(t, s)
	if names, err := os.ReadDir(filepath.Dir(s.Path())); err != nil || len(names) != 1 {
		t.Errorf("files left over: %v, %v", names, err)
	}
	again := reopen(t, s.Path())
	if n := len(collect(t, again, 0, 1<<60, false)); n != len(want.rounds)+1 {
		t.Errorf("%d rounds, want %d", n, len(want.rounds)+1)
	}
}

// A small store, of which a copy would be no smaller, stays as it is.
func TestCompactGainsNothing(t *testing.T) {
	s := openTest(t)
	commitDays(t, s, 0, 20)
	for range 2 { // the first may gain something
		before, after, err := s.Compact(nil)
		if err != nil || after > before {
			t.Errorf("%d bytes become %d, %v", before, after, err)
		}
	}
	was, err := os.Stat(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	before, after, err := s.Compact(nil)
	is, errStat := os.Stat(s.Path())
	if err != nil || errStat != nil || before != after || !os.SameFile(was, is) || is.Size() != after {
		t.Errorf("%d bytes become %d, %v, %v", before, after, err, errStat)
	}
	commitDays(t, s, 20, 1)
	closeVerified(t, s)
	if names, err := os.ReadDir(filepath.Dir(s.Path())); err != nil || len(names) != 1 {
		t.Errorf("files left over: %v, %v", names, err)
	}
}

// Rounds are committed, packed and pruned, the store is read and backed up, while it is compacted again and again: nothing
// of it is lost.
func TestCompactUnderLoad(t *testing.T) {
	s := openTest(t)
	s.db.NoSync = true
	s.packAt = 10
	commitDays(t, s, 0, 500)
	written := make(chan struct{})
	var work sync.WaitGroup
	during := func(f func() error) {
		work.Go(func() {
			for {
				if err := f(); err != nil {
					t.Error(err)
					return
				}
				select {
				case <-written:
					return
				default:
				}
			}
		})
	}
	compacted := 0
	during(func() error { compacted++; _, _, err := s.rewrite(nil, nil); return err })
	during(func() error { return readOnce(s, 1) })
	during(func() error { _, err := s.Stats(); return err })
	backup := filepath.Join(t.TempDir(), "backup.db")
	during(func() error {
		if err := s.Backup(backup); err != nil {
			return err
		}
		b, err := Open(backup, Options{ReadOnly: true})
		if err == nil {
			err = errors.Join(b.Verify(nil), b.Close(), os.Remove(backup))
		}
		return err
	})
	for n := 500; n < 600; n++ {
		r := somePopulation(t, n)
		half := *r
		half.Passes = half.Passes[:2]
		mustCommit(t, s, Commit{Rounds: []*probe.Round{&half}})
		commitDays(t, s, n, 1)
	}
	close(written)
	work.Wait()
	var starts []probe.Instant
	for _, r := range collect(t, s, 0, 1<<60, false) {
		starts = append(starts, r.Start)
	}
	if len(starts) != 600 || !slices.IsSorted(starts) || compacted == 0 {
		t.Errorf("%d rounds after %d compactions", len(starts), compacted)
	}
}

// A copy that cannot be made leaves the store as it is.
func TestCompactFails(t *testing.T) {
	s := openTest(t)
	commitDays(t, s, 0, 20)
	if err := os.Rename(s.Path(), s.Path()+".moved"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(s.Path(), 0o700); err != nil { // so that nothing can be renamed to it
		t.Fatal(err)
	}
	if _, _, err := s.rewrite(nil, nil); err == nil {
		t.Error("it took the place of a directory")
	}
	commitDays(t, s, 20, 1)
	if n := len(collect(t, s, 0, 1<<60, false)); n != 21 {
		t.Errorf("%d rounds", n)
	}
	if err := errors.Join(os.Remove(s.Path()), os.Rename(s.Path()+".moved", s.Path())); err != nil {
		t.Fatal(err)
	}
	if names, err := os.ReadDir(filepath.Dir(s.Path())); err != nil || len(names) != 1 {
		t.Errorf("files left over: %v, %v", names, err)
	}
}

// Where old rounds are dropped as new ones come, the file stops growing.
func TestSteadySize(t *testing.T) {
	s := openTest(t)
	s.db.NoSync = true
	s.packAt = 64
	const day = 131
	keep := Retention{Rounds: time.Hour, Summaries: time.Hour} // as short as may be: nine days
	size := func() int64 {
		st, err := s.Stats()
		if err != nil {
			t.Fatal(err)
		}
		return st.FileSize
	}
	var steady int64
	for n := range 20 {
		commitDays(t, s, n*day, day)
		if _, err := s.Prune(1<<60, keep, false); err != nil {
			t.Fatal(err)
		}
		if n == 12 {
			steady = size()
		}
	}
	used, err := s.InUse()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes after 13 days, %d after 20, of which %d are in use", steady, size(), used)
	if size() > steady+2*growSize {
		t.Errorf("%d bytes after 13 days become %d after 20", steady, size())
	}
}
