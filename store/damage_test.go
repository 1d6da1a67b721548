package store

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"brownout/probe"
	"brownout/probe/outage"
)

var damageRuns = flag.Int("damage", 160, "how many times a store is damaged")

// contents is all that a store says.
type contents struct {
	rounds    []*probe.Round
	outages   []outage.Outage
	changes   []outage.Change
	summaries []outage.Summary
	hours     []Hour
	snapshot  []byte
	cursor    probe.Instant
}

// readAll reads everything, the rounds from both ends.
func readAll(s *Store) (c contents, err error) {
	for r, err := range s.Rounds(-1<<62, 1<<62, false) {
		if err != nil {
			return c, err
		}
		c.rounds = append(c.rounds, r)
	}
	var back []*probe.Round
	for r, err := range s.Rounds(-1<<62, 1<<62, true) {
		if err != nil {
			return c, err
		}
		back = append(back, r)
	}
	slices.Reverse(back)
	if !reflect.DeepEqual(c.rounds, back) {
		return c, errors.New("newest first, other rounds come")
	}
	var errs [5]error
	c.outages, errs[0] = s.Outages()
	c.changes, errs[1] = s.Said(outage.SpaceBlock)
	c.summaries, errs[2] = s.Summaries(outage.SpaceBlock, -1<<62, 1<<62)
	c.snapshot, c.cursor, errs[3] = s.Detector()
	c.hours, errs[4] = s.Hours(outage.SpaceBlock, -1<<62, 1<<62, false)
	return c, errors.Join(errs[:]...)
}

// someStore writes a store that has something of everything, and returns its bytes.
func someStore(t testing.TB, path string) ([]byte, contents) {
	t.Helper()
	s := reopen(t, path)
	s.db.NoSync = true
	s.packAt = 20
	for n := range 100 {
		r := somePopulation(t, n)
		f := outage.Findings{Summaries: someSummaries(r, n)}
		if n%10 == 0 {
			f.Changes = []outage.Change{{Block: outage.SpaceBlock, State: outage.State(n / 10 % 6), Since: r.Start, DeclaredAt: r.End}}
			f.Outages = []outage.Outage{someOutage(r.Start, n%20 == 0)}
		}
		mustCommit(t, s, Commit{Sealed: []*probe.Round{r}, Cursor: r.End, Detector: []byte(strings.Repeat("state", 100)), Findings: f})
	}
	all, err := readAll(s)
	if err != nil {
		t.Fatal(err)
	}
	closeVerified(t, s)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b, all
}

func someOutage(at probe.Instant, total bool) outage.Outage {
	start := outage.Interval{Earliest: at.Add(-9_000), At: at, Latest: at.Add(50_000)}
	end := outage.Interval{Earliest: at.Add(600_000), At: at.Add(620_000), Latest: at.Add(630_000)}
	o := outage.Outage{ID: "space-" + start.Latest.String(), Block: outage.SpaceBlock, Kind: outage.Partial, Status: outage.Ended,
		Start: start, End: &end, Phases: []outage.Phase{{Kind: outage.Partial, Start: start, End: &end}}, DeclaredAt: at.Add(90_000)}
	if total {
		o.Kind, o.Phases[0].Kind = outage.Total, outage.Total
	}
	return o
}

// answersOrErrs opens a damaged store and asks it everything: whatever it says without an error must be true.
func answersOrErrs(t *testing.T, path string, want contents, what string) (refused bool) {
	t.Helper()
	for _, readOnly := range []bool{true, false} {
		s, err := Open(path, Options{ReadOnly: readOnly})
		if err != nil {
			var damaged *DamagedError
			if !errors.As(err, &damaged) && !errors.Is(err, ErrForeign) {
				t.Fatalf("%s: %v", what, err)
			}
			refused = true
			continue
		}
		got, err := readAll(s)
		verified := s.Verify(nil)
		switch {
		case err != nil && verified == nil:
			t.Fatalf("%s: reading gives %v, but it verifies", what, err)
		case err != nil:
			refused = true
		case verified != nil && strings.Contains(verified.Error(), "meta page"):
			refused = true // one commit earlier, which it says
		default:
			if !reflect.DeepEqual(want, got) { // faster than cmp by far
				t.Fatalf("%s: a wrong answer without an error: %s", what, cmp.Diff(want, got, sameRounds, cmp.AllowUnexported(contents{})))
			}
		}
		if err := s.Close(); err != nil {
			t.Fatalf("%s: close: %v", what, err)
		}
	}
	return refused
}

func TestTruncated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	whole, want := someStore(t, path)
	sizes := []int{0, 1, 15, 16, 17, 80, 4095, 4096, 4097, 8191, 8192, 8193, 12288, len(whole) - 4096, len(whole) - 1}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 40 {
		sizes = append(sizes, rng.IntN(len(whole)))
	}
	used := usedBytes(t, whole)
	for _, size := range sizes {
		if err := os.WriteFile(path, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		if !answersOrErrs(t, path, want, fmt.Sprintf("cut to %d", size)) && size < used {
			t.Errorf("cut to %d of %d bytes in use it opens", size, used)
		}
	}
}

// usedBytes is where the pages in use end; the file beyond is reserve.
func usedBytes(t *testing.T, b []byte) int {
	t.Helper()
	pages, err := inspectPages(strings.NewReader(string(b)), int64(len(b)), true)
	if err != nil {
		t.Fatal(err)
	}
	return int(pages.meta.pages) * pages.meta.pageSize
}

// One to three bits are flipped anywhere, or a page is lost or stands in another's place: never a panic, never a wrong answer
// without an error.
func TestBitFlips(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	whole, want := someStore(t, path)
	used := usedBytes(t, whole)
	refused := 0
	for seed := range *damageRuns {
		rng := rand.New(rand.NewPCG(2, uint64(seed)))
		b := slices.Clone(whole)
		var what string
		switch seed % 8 {
		case 0:
			page := rng.IntN(used/4096) * 4096
			clear(b[page : page+4096])
			what = fmt.Sprintf("seed %d: page at %d lost", seed, page)
		case 1:
			from, to := rng.IntN(used/4096)*4096, rng.IntN(used/4096)*4096
			copy(b[to:to+4096], whole[from:from+4096])
			what = fmt.Sprintf("seed %d: page at %d over that at %d", seed, from, to)
		case 2: // page headers and the first elements, where a flip hurts most
			at := rng.IntN(used/4096)*4096 + rng.IntN(64)
			b[at] ^= 1 << rng.IntN(8)
			what = fmt.Sprintf("seed %d: bit at %d", seed, at)
		default:
			for range 1 + rng.IntN(3) {
				at := rng.IntN(used)
				b[at] ^= 1 << rng.IntN(8)
				what = fmt.Sprintf("seed %d: bits up to %d", seed, at)
			}
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if answersOrErrs(t, path, want, what) {
			refused++
		}
	}
	t.Logf("%d of %d were refused", refused, *damageRuns)
	if refused < *damageRuns/4 {
		t.Errorf("only %d of %d were noticed", refused, *damageRuns)
	}
}
