package store

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	bolt "go.etcd.io/bbolt"

	"brownout/probe"
	"brownout/probe/outage"
)

var (
	powerRuns = flag.Int("power", 60, "how many times the power is lost")
	powerSeed = flag.Uint64("power-seed", 1, "where, and what is torn")
)

// write is one that bbolt made.
type write struct {
	data []byte
	at   int64
}

// recording is the layer between bbolt and its file: it records every write, and may fail one.
type recording struct {
	writes []write
	fail   int   // the number of the write to fail, from 1; 0: none
	err    error // by this, after half of it was written
	synced []int // how many writes there were at each barrier: bbolt syncs before and after it writes a meta page
}

// underneath puts a recording under a store. bbolt has a seam for this, but no name for it outside.
func underneath(db *bolt.DB) *recording {
	r := &recording{}
	field := reflect.ValueOf(db).Elem().FieldByName("ops").FieldByName("writeAt")
	writeAt := (*func([]byte, int64) (int, error))(unsafe.Pointer(field.UnsafeAddr()))
	real := *writeAt
	pageSize := int64(db.Info().PageSize)
	*writeAt = func(b []byte, at int64) (int, error) {
		if at < 2*pageSize {
			r.synced = append(r.synced, len(r.writes))
		}
		r.writes = append(r.writes, write{append([]byte(nil), b...), at})
		if len(r.writes) == r.fail {
			n, _ := real(b[:len(b)/2], at)
			return n, r.err
		}
		n, err := real(b, at)
		if at < 2*pageSize {
			r.synced = append(r.synced, len(r.writes))
		}
		return n, err
	}
	return r
}

// crashImage is the file as a power loss leaves it in the midst of write number n: what was synced before is there; of the
// writes since, any may be, and the last one may be torn.
func (r *recording) crashImage(base []byte, n int, rng *rand.Rand) []byte {
	durable := 0
	for _, s := range r.synced {
		if s <= n {
			durable = s
		}
	}
	image := append([]byte(nil), base...)
	for i, w := range r.writes[:min(n+1, len(r.writes))] {
		data := w.data
		switch {
		case i < durable:
		case i == n:
			data = data[:rng.IntN(len(data)/512+1)*512] // disks write sectors whole
		case rng.IntN(4) == 0:
			continue // it was not written out yet
		}
		if end := int(w.at) + len(data); end > len(image) {
			image = append(image, make([]byte, end-len(image))...)
		}
		copy(image[w.at:], data)
	}
	return image
}

// scenario is commits that pack, prune, replace and insert, and how many writes there were when each had returned.
type scenario struct {
	base  []byte
	disk  *recording
	after []int
	state []contents // after each commit; the first is of before all
}

func playScenario(t *testing.T, commits int) *scenario {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.packAt = 6
	commitDays(t, s, 0, 30)
	base, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sc := &scenario{base: base, disk: underneath(s.db)}
	sc.note(t, s)
	for n := range commits {
		if err := step(t, s, 30+n); err != nil {
			t.Fatal(err)
		}
		sc.note(t, s)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return sc
}

func (sc *scenario) note(t *testing.T, s *Store) {
	all, err := readAll(s)
	if err != nil {
		t.Fatal(err)
	}
	sc.after = append(sc.after, len(sc.disk.writes))
	sc.state = append(sc.state, all)
}

// step is the nth transaction of a scenario.
func step(t *testing.T, s *Store, n int) error {
	r := somePopulation(t, n/2)
	r.Start = r.Start.Add(1<<33 + int64(n%2)) // after all that is there
	r.End = r.Start.Add(600_000)
	half := *r
	half.Passes = half.Passes[:2]
	switch n % 5 {
	case 0:
		return s.Commit(Commit{Rounds: []*probe.Round{&half}, Detector: make([]byte, 20_000)})
	case 1:
		return s.Commit(Commit{Sealed: []*probe.Round{r, somePopulation(t, 1000+n)}, Findings: outage.Findings{Summaries: someSummaries(r, n)}})
	case 2:
		return s.Commit(Commit{Findings: outage.Findings{Outages: []outage.Outage{someOutage(r.Start, true)}, Summaries: someSummaries(r, n)}})
	case 3:
		pr := pruner{store: s, out: &Pruned{}}
		pr.step(func(tx *writeTx, h *head, cut probe.Instant, most int) (bool, error) { return pr.rounds(tx, h, cut, 1) }, 1<<60)
		return pr.err
	}
	return s.Commit(Commit{Sealed: []*probe.Round{r}, Detector: make([]byte, 9_000+n), Cursor: r.End})
}

// The power is lost in the midst of any write, which may be torn, with the unsynced ones before it written or not: whatever
// commit had returned is there, whole; one under way is there or not, never by half.
func TestPowerLoss(t *testing.T) {
	sc := playScenario(t, 60)
	path := filepath.Join(t.TempDir(), "s.db")
	rng := rand.New(rand.NewPCG(*powerSeed, 3))
	for run := range *powerRuns {
		n := rng.IntN(len(sc.disk.writes))
		if err := os.WriteFile(path, sc.disk.crashImage(sc.base, n, rng), 0o600); err != nil {
			t.Fatal(err)
		}
		sc.checkCrashed(t, path, n, fmt.Sprintf("run %d, cut in write %d of %d", run, n, len(sc.disk.writes)))
	}
}

func (sc *scenario) checkCrashed(t *testing.T, path string, n int, what string) {
	t.Helper()
	done := 0 // commits that had returned
	for i, writes := range sc.after {
		if writes <= n {
			done = i
		}
	}
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	got, err := readAll(s)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if !reflect.DeepEqual(got, sc.state[done]) && (done+1 == len(sc.state) || !reflect.DeepEqual(got, sc.state[done+1])) {
		t.Fatalf("%s: %d commits had returned, and what is there is of neither them nor of the next", what, done)
	}
	if err := s.Verify(nil); err != nil && !strings.Contains(err.Error(), "meta page") {
		t.Fatalf("%s: %v", what, err)
	}
	mustCommit(t, s, Commit{}) // mends a meta page that was torn
	closeVerified(t, s)
}

// The disk is full at every write of every transaction in turn, after half of it: the commit fails, nothing that was
// committed is lost, and once there is room again the next one succeeds.
func TestDiskFull(t *testing.T) {
	s := openTest(t)
	s.packAt = 6
	commitDays(t, s, 0, 30)
	disk := underneath(s.db)
	disk.err = syscall.ENOSPC
	failed := 0
	for n := 30; n < 45; n++ {
		before, err := readAll(s)
		if err != nil {
			t.Fatal(err)
		}
		for at := 1; ; at++ {
			disk.writes, disk.fail = nil, at
			err := step(t, s, n)
			if err == nil {
				break // it has no more writes
			}
			failed++
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("transaction %d, write %d: %v, want %v", n, at, err, disk.err)
			}
			disk.fail = 0
			if last := disk.writes[at-1]; last.at < 2*4096 { // half of a meta page is all of it: the commit is there
				if before, err = readAll(s); err != nil {
					t.Fatalf("transaction %d, meta page: %v", n, err)
				}
			}
			if after, err := readAll(s); err != nil || !reflect.DeepEqual(before, after) {
				t.Fatalf("transaction %d, write %d: something else is there, %v", n, at, err)
			}
			again := reopenCopy(t, s.Path())
			if after, err := readAll(again); err != nil || !reflect.DeepEqual(before, after) {
				t.Fatalf("transaction %d, write %d: something else is in the file, %v", n, at, err)
			}
			again.Close() // it was only read
		}
	}
	if failed < 50 {
		t.Errorf("only %d writes failed", failed)
	}
}

// reopenCopy opens the file as it is now, as after a kill.
func reopenCopy(t *testing.T, path string) *Store {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(copied, b, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(copied, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
