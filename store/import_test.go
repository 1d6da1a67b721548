package store

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"brownout/probe"
	"brownout/probe/outage"
)

// sliceSource is rounds as a source.
type sliceSource struct {
	rounds []*probe.Round
	end    error
}

func (s *sliceSource) Next() (*probe.Round, error) {
	if len(s.rounds) == 0 {
		return nil, s.end
	}
	r := s.rounds[0]
	s.rounds = s.rounds[1:]
	return r, nil
}

// outageRounds is rounds of which some in the midst are silent.
func outageRounds(t testing.TB, n int) (rounds []*probe.Round) {
	for i := range n {
		r := somePopulation(t, i)
		if i >= 100 && i < 110 {
			for k := range r.Passes {
				r.Passes[k].Answers = nil
			}
		}
		rounds = append(rounds, r)
	}
	return rounds
}

// What is exported of an imported store is what was imported, and found in it is what a replay finds.
func TestImportExport(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	rounds := outageRounds(t, importBatch+10)
	st, err := Import(path, Options{}, &sliceSource{rounds: rounds, end: io.EOF}, outage.Config{}, nil)
	if err != nil || st.Rounds != len(rounds) || st.Path != path {
		t.Fatalf("%+v, %v", st, err)
	}
	s := reopen(t, path)
	first := exported(t, s, nil)
	again := filepath.Join(t.TempDir(), "again.db")
	if _, err := Import(again, Options{}, &sliceSource{rounds: first, end: io.EOF}, outage.Config{}, nil); err != nil {
		t.Fatal(err)
	}
	s2 := reopen(t, again)
	if diff := cmp.Diff(first, exported(t, s2, nil), sameRounds); diff != "" {
		t.Error(diff)
	}
	a, errA := readAll(s)
	b, errB := readAll(s2)
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	a.snapshot, b.snapshot = nil, nil // it has lists that are in no order
	if diff := cmp.Diff(a, b, sameRounds, cmp.AllowUnexported(contents{})); diff != "" {
		t.Errorf("the second import says something else: %s", diff)
	}
	history, err := outage.Replay(outage.Config{}, &sliceSource{rounds: first, end: io.EOF})
	if err != nil || len(a.outages) == 0 {
		t.Fatal(len(a.outages), err)
	}
	found, err := s.Outages()
	slices.SortFunc(found, outage.CompareOutages)
	if diff := cmp.Diff(history.Outages(true), found, cmp.Comparer(func(a, b outage.Outage) bool { return reflect.DeepEqual(a, b) })); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

// What is exported of a part of a store, and of a store that is imported of it, is the same.
func TestImportPart(t *testing.T) {
	dir := t.TempDir()
	rounds := outageRounds(t, 30)
	if _, err := Import(filepath.Join(dir, "s.db"), Options{}, &sliceSource{rounds: rounds, end: io.EOF}, outage.Config{}, nil); err != nil {
		t.Fatal(err)
	}
	part := exportedOf(t, reopen(t, filepath.Join(dir, "s.db")), rounds[5].Start, rounds[20].Start)
	if len(part) != 15 || part[14].Until != part[14].Last()+1 {
		t.Fatalf("%d rounds, the last until %v, seen up to %v", len(part), part[14].Until, part[14].Last())
	}
	if _, err := Import(filepath.Join(dir, "part.db"), Options{}, &sliceSource{rounds: part, end: io.EOF}, outage.Config{}, nil); err != nil {
		t.Fatal(err)
	}
	again := exported(t, reopen(t, filepath.Join(dir, "part.db")), nil)
	if diff := cmp.Diff(part, again, sameRounds); diff != "" {
		t.Error(diff)
	}
}

// An import that fails leaves nothing, and none writes over a store.
func TestImportFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s.db")
	broken := errors.New("the source broke off")
	if _, err := Import(path, Options{}, &sliceSource{rounds: outageRounds(t, 5), end: broken}, outage.Config{}, nil); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	twice := outageRounds(t, 5)
	twice = append(twice, twice[4])
	if _, err := Import(path, Options{}, &sliceSource{rounds: twice, end: io.EOF}, outage.Config{}, nil); err == nil {
		t.Error("a round that stands twice was taken")
	}
	if _, err := Import(path, Options{}, &sliceSource{end: io.EOF}, outage.Config{}, nil); err == nil {
		t.Error("no rounds make a store")
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 0 {
		t.Errorf("files left over: %v, %v", names, err)
	}
	if err := os.WriteFile(path, []byte("something"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Import(path, Options{}, &sliceSource{rounds: outageRounds(t, 5), end: io.EOF}, outage.Config{}, nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a file: %v", err)
	}
}

// calling is a source that runs something before its first round.
type calling struct {
	sliceSource
	first func()
}

func (s *calling) Next() (*probe.Round, error) {
	if s.first != nil {
		s.first()
		s.first = nil
	}
	return s.sliceSource.Next()
}

// Of two imports to one name, the one that came first makes the store, and the other is told who does.
func TestImportsOfOneName(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s.db")
	in := &calling{sliceSource: sliceSource{rounds: outageRounds(t, 20), end: io.EOF}}
	in.first = func() {
		_, err := Import(path, Options{}, &sliceSource{rounds: outageRounds(t, 5), end: io.EOF}, outage.Config{}, nil)
		wantError(t, err, ErrLocked, path, "another import", "wait")
	}
	st, err := Import(path, Options{}, in, outage.Config{}, nil)
	if err != nil || st.Rounds != 20 {
		t.Fatal(st, err)
	}
	if all := exported(t, reopen(t, path), nil); len(all) != 20 {
		t.Errorf("the store has %d rounds", len(all))
	}
}

// What an import left that was killed is in nobody's way, and is cleared away.
func TestImportAfterKill(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{".s.db.import", ".s.db.import-lock"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half a store"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "s.db")
	if _, err := Import(path, Options{}, &sliceSource{rounds: outageRounds(t, 5), end: io.EOF}, outage.Config{}, nil); err != nil {
		t.Fatal(err)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
		t.Errorf("files left over: %v, %v", names, err)
	}
}

// BenchmarkImport writes rounds in bulk; judged, as an import does, and not.
func BenchmarkImport(b *testing.B) {
	rounds := outageRounds(b, 4*importBatch)
	b.Run("stored", func(b *testing.B) {
		for b.Loop() {
			s, err := Open(filepath.Join(b.TempDir(), "s.db"), Options{})
			if err != nil {
				b.Fatal(err)
			}
			s.db.NoSync = true
			for from := 0; from < len(rounds); from += importBatch {
				var c Commit
				for n := from; n < from+importBatch; n++ {
					c.Sealed = append(c.Sealed, rounds[n])
					c.Findings.Summaries = append(c.Findings.Summaries, someSummaries(rounds[n], n)...)
				}
				mustCommit(b, s, c)
			}
			if err := errors.Join(s.db.Sync(), s.Close()); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N*len(rounds))/b.Elapsed().Seconds(), "rounds/s")
	})
	b.Run("judged", func(b *testing.B) {
		for b.Loop() {
			path := filepath.Join(b.TempDir(), "s.db")
			if _, err := Import(path, Options{}, &sliceSource{rounds: rounds, end: io.EOF}, outage.Config{}, nil); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N*len(rounds))/b.Elapsed().Seconds(), "rounds/s")
	})
}
