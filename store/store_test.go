package store

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"brownout/probe"
	"brownout/probe/outage"
)

// 2014-12-22T16:00:00Z
const epoch = probe.Instant(1419264000000)

// sameRounds compares rounds whole; an absent list is an empty one.
var sameRounds = cmp.Options{
	cmp.Comparer(func(a, b probe.Space) bool { return a.Equal(b) && a.Len() == b.Len() }),
	cmpopts.EquateEmpty(), cmpopts.EquateComparable(probe.Protocol{}, netip.Addr{}, netip.Prefix{}),
}

// openTest opens a new store; whatever the test does to it, it must verify in the end.
func openTest(t testing.TB) *Store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store.db")
	return reopen(t, path)
}

func reopen(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(path, Options{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeVerified(t, s) })
	return s
}

// closeVerified verifies a store that is still open and closes it.
func closeVerified(t testing.TB, s *Store) {
	t.Helper()
	if s.usable() == nil {
		if err := s.Verify(nil); err != nil {
			t.Errorf("verify: %v", err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func mustCommit(t testing.TB, s *Store, c Commit) {
	t.Helper()
	if err := s.Commit(c); err != nil {
		t.Fatal(err)
	}
}

// collect drains an iteration.
func collect(t testing.TB, s *Store, from, to probe.Instant, newestFirst bool) []*probe.Round {
	t.Helper()
	var all []*probe.Round
	for r, err := range s.Rounds(from, to, newestFirst) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// somePopulation is a round of FIELD's population: 1,024 addresses by four protocols, some 60 answers.
func somePopulation(t testing.TB, n int) *probe.Round {
	t.Helper()
	space, err := probe.ParseSpace([]string{"198.18.0.0/22"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &probe.Round{
		Kind: probe.Full, Start: epoch.Add(int64(n) * 660_000), Span: 660 * time.Second, Seed: mixed(uint64(n)), Seeded: true,
		Vantage: "fra1", VantageOK: true, Space: space, Timeout: 3 * time.Second, Scale: 1,
	}
	r.End = r.Start.Add(660_000 + int64(mixed(uint64(n))%40))
	for i, p := range []probe.Protocol{probe.ICMP, probe.TCP(80), probe.TCP(443), probe.DNS} {
		r.Passes = append(r.Passes, probe.Pass{Protocol: p, Targets: space})
		hosts := []int{18, 20, 19, 3}[i]
		for h := range hosts {
			x := mixed(uint64(n)<<20 | uint64(i)<<10 | uint64(h))
			if x%100 < 4 {
				continue // lost
			}
			target := int32(3 + h*9 + i%2)
			if h > 0 {
				target += int32(mixed(uint64(h)) % 7)
			}
			if h >= hosts-3 && i < 3 {
				target += 512
			}
			outcome := probe.Reply
			if i > 0 && h%6 == 5 {
				outcome = probe.Refused
			}
			base := 170_000 + mixed(uint64(h))%400_000
			r.Passes[i].Answers = append(r.Passes[i].Answers, probe.Answer{
				Target: target, Outcome: outcome, First: probe.UnknownOffset, RTT: probe.QuantiseRTT(uint32(base + x%8_000)),
			})
		}
	}
	plan := r.Plan()
	for i := range r.Passes {
		for k := range r.Passes[i].Answers {
			a := &r.Passes[i].Answers[k]
			a.Offset = int32(plan.Offset(i, int(a.Target))/time.Millisecond) + int32(a.RTT>>12&3)
			if a.RTT>>9%40 == 7 {
				a.Offset += 3_000 // the retry decided
			}
		}
	}
	return r
}

// mixed is the finaliser of SplitMix64.
func mixed(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func TestCommitReopen(t *testing.T) {
	s := openTest(t)
	first, second := somePopulation(t, 1), somePopulation(t, 2)
	half := *first
	half.End = half.Start.Add(60_000)
	half.Passes = half.Passes[:1]
	mustCommit(t, s, Commit{Rounds: []*probe.Round{&half}, Cursor: first.Start, Detector: []byte("one")})
	if diff := cmp.Diff([]*probe.Round{&half}, collect(t, s, 0, 1<<60, false), sameRounds); diff != "" {
		t.Error(diff)
	}
	mustCommit(t, s, Commit{Sealed: []*probe.Round{first}, Rounds: []*probe.Round{second}, Cursor: first.End})
	closeVerified(t, s)

	s = reopen(t, s.Path())
	if diff := cmp.Diff([]*probe.Round{second, first}, collect(t, s, 0, 1<<60, true), sameRounds); diff != "" {
		t.Error(diff)
	}
	snapshot, cursor, err := s.Detector()
	if err != nil || string(snapshot) != "one" || cursor != first.End {
		t.Errorf("detector %q, cursor %v, %v", snapshot, cursor, err)
	}
	open, err := s.Unsealed()
	if err != nil || len(open) != 1 || open[0].Start != second.Start {
		t.Errorf("unsealed: %v, %v", open, err)
	}
	if err := s.Commit(Commit{Rounds: []*probe.Round{first}}); err == nil {
		t.Error("a sealed round was unsealed")
	}
	if err := s.Commit(Commit{Cursor: first.Start}); err == nil {
		t.Error("the cursor went back")
	}
}

// An error leaves nothing of its commit behind, in the file or in memory.
func TestCommitIsAtomic(t *testing.T) {
	s := openTest(t)
	good, bad := somePopulation(t, 1), somePopulation(t, 2)
	good.Vantage = "elsewhere"
	bad.Passes[0].Answers[0].RTT = 1_000_001
	o := outage.Outage{ID: "space-1", Block: outage.SpaceBlock}
	err := s.Commit(Commit{Sealed: []*probe.Round{good, bad}, Findings: outage.Findings{Outages: []outage.Outage{o}}})
	if err == nil {
		t.Fatal("an RTT that is not quantised was taken")
	}
	if all := collect(t, s, 0, 1<<60, false); len(all) != 0 {
		t.Errorf("%d rounds", len(all))
	}
	if all, err := s.Outages(); len(all) != 0 || err != nil {
		t.Errorf("outages %v, %v", all, err)
	}
	mustCommit(t, s, Commit{Sealed: []*probe.Round{somePopulation(t, 3)}})
}

// Rounds come back in order of time whatever the order of their commits, from both ends, between any bounds.
func TestRoundsRanges(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s, err := Open(filepath.Join(t.TempDir(), "store.db"), Options{})
		if err != nil {
			rt.Fatal(err)
		}
		defer s.Close()
		s.packAt = rapid.IntRange(2, 20).Draw(rt, "pack")
		n := rapid.IntRange(0, 150).Draw(rt, "n")
		order := rapid.Permutation(seq(n)).Draw(rt, "order")
		for chunk := range slices.Chunk(order, 1+rapid.IntRange(0, 80).Draw(rt, "chunk")) {
			var c Commit
			for _, i := range chunk {
				c.Sealed = append(c.Sealed, &probe.Round{Kind: probe.Kind(i % 3), Start: epoch.Add(int64(i / 3)), End: epoch.Add(int64(i))})
			}
			if err := s.Commit(c); err != nil {
				rt.Fatal(err)
			}
		}
		from, to := rapid.Int64Range(-1, 51).Draw(rt, "from"), rapid.Int64Range(-1, 51).Draw(rt, "to")
		var want []string
		for i := range n {
			if at := int64(i / 3); at >= from && at < to {
				want = append(want, fmt.Sprint(at, i%3))
			}
		}
		for _, newestFirst := range []bool{false, true} {
			var got []string
			for r, err := range s.Rounds(epoch.Add(from), epoch.Add(to), newestFirst) {
				if err != nil {
					rt.Fatal(err)
				}
				got = append(got, fmt.Sprint(int64(r.Start-epoch), int(r.Kind)))
			}
			if newestFirst {
				slices.Reverse(got)
			}
			if !slices.Equal(got, want) {
				rt.Fatalf("newest first %v: %v, want %v", newestFirst, got, want)
			}
		}
		if err := s.Verify(nil); err != nil {
			rt.Fatal(err)
		}
	})
}

func seq(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

func TestOpenReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	if _, err := Open(path, Options{ReadOnly: true}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	s := reopen(t, path)
	mustCommit(t, s, Commit{Sealed: []*probe.Round{somePopulation(t, 1)}})
	closeVerified(t, s)
	a, err := Open(path, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := Open(path, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if len(collect(t, b, 0, 1<<60, false)) != 1 {
		t.Error("the second reader does not see the round")
	}
	if err := b.Commit(Commit{Cursor: 1}); !errors.Is(err, ErrReadOnly) {
		t.Errorf("commit: %v", err)
	}
	if err := a.Verify(nil); err != nil {
		t.Error(err)
	}
}

// One writes, several read from both ends and export: nobody sees a round twice, or by half, or out of order.
func TestConcurrent(t *testing.T) {
	s := openTest(t)
	s.db.NoSync = true
	const rounds = 150
	var readers sync.WaitGroup
	written := make(chan struct{})
	for i := range 4 {
		readers.Go(func() {
			for done := false; !done; {
				select {
				case <-written:
					done = true // once more
				default:
				}
				if err := readOnce(s, i); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for n := range rounds {
		r := somePopulation(t, n)
		half := *r
		half.Passes = half.Passes[:2]
		mustCommit(t, s, Commit{Rounds: []*probe.Round{&half}})
		mustCommit(t, s, Commit{Sealed: []*probe.Round{r}, Cursor: r.End, Findings: outage.Findings{Summaries: someSummaries(r, n)}})
	}
	close(written)
	readers.Wait()
	if n := len(collect(t, s, 0, 1<<60, true)); n != rounds {
		t.Errorf("%d rounds", n)
	}
}

func drainTo(rounds iter.Seq2[*probe.Round, error], f func(*probe.Round) error) error {
	for r, err := range rounds {
		if err == nil {
			err = f(r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readOnce reads everything in the i-th way and checks that the rounds are whole and in order.
func readOnce(s *Store, i int) error {
	var starts []probe.Instant
	check := func(r *probe.Round) error {
		starts = append(starts, r.Start)
		if len(r.Passes) != 4 && len(r.Passes) != 2 || len(r.Passes[0].Answers) == 0 {
			return fmt.Errorf("round of %v is not whole", r.Start)
		}
		return nil
	}
	if i == 0 {
		if err := drainTo(s.Export(0, 1<<60), check); err != nil {
			return err
		}
	} else if err := drainTo(s.Rounds(0, 1<<60, i == 1), check); err != nil {
		return err
	}
	if i == 1 {
		slices.Reverse(starts)
	}
	for k := 1; k < len(starts); k++ {
		if starts[k] <= starts[k-1] {
			return fmt.Errorf("round of %v after that of %v", starts[k], starts[k-1])
		}
	}
	_, err := s.Summaries(outage.SpaceBlock, 0, 1<<60)
	return err
}

// The file is cut off under an open store, as by a full copy over it: every call gives an error, none a fault, and Close
// returns.
func TestTruncatedWhileOpen(t *testing.T) {
	s := openTest(t)
	for n := range 100 {
		mustCommit(t, s, Commit{Sealed: []*probe.Round{somePopulation(t, n)}})
	}
	if err := os.Truncate(s.Path(), 8192); err != nil {
		t.Fatal(err)
	}
	var damaged *DamagedError
	for _, err := range s.Rounds(0, 1<<60, false) {
		if !errors.As(err, &damaged) {
			t.Errorf("rounds: %v", err)
		}
	}
	if err := s.Verify(nil); !errors.As(err, &damaged) {
		t.Errorf("verify: %v", err)
	}
	if err := s.Commit(Commit{Sealed: []*probe.Round{somePopulation(t, 200)}}); !errors.As(err, &damaged) {
		t.Errorf("commit: %v", err)
	}
	s.Close() // it may give an error, but not wait for ever
	if _, err := Open(s.Path(), Options{}); !errors.As(err, &damaged) {
		t.Errorf("open: %v", err)
	}
}
