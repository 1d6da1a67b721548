package probe

import (
	"fmt"
	"hash/fnv"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestPermuteIsABijection(t *testing.T) {
	for _, n := range []uint64{1, 2, 3, 4, 5, 15, 16, 17, 255, 256, 257, 1000, 1024} {
		for key := range uint64(20) {
			seen := make([]bool, n)
			for x := range n {
				y := permute(mix(key), n, x)
				if y >= n || seen[y] {
					t.Fatalf("n %d, key %d: %d maps to %d, out of range or taken", n, key, x, y)
				}
				seen[y] = true
				if back := unpermute(mix(key), n, y); back != x {
					t.Fatalf("n %d, key %d: %d maps to %d and back to %d", n, key, x, y, back)
				}
			}
		}
	}
}

func TestUnpermuteUndoesPermute(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64Range(1, MaxSpace).Draw(t, "n")
		x := rapid.Uint64Range(0, n-1).Draw(t, "x")
		key := rapid.Uint64().Draw(t, "key")
		if y := permute(key, n, x); y >= n || unpermute(key, n, y) != x {
			t.Fatalf("%d maps to %d", x, y)
		}
	})
}

// TestGoldenPlan pins the arrangement of PlanVersion 1: seeds are stored, and a stored seed must give the same times for ever.
func TestGoldenPlan(t *testing.T) {
	space := testSpace(t, "198.18.0.0/22", "203.0.113.7", "2001:db8::/120")
	p := NewPlan(81985529216486895, 11*time.Minute, []Aim{{ICMP, space}, {TCP(80), space}, {DNS, space}})
	var got []int64
	for _, c := range []struct{ aim, target int }{{0, 0}, {0, 1}, {0, 255}, {0, 256}, {0, 1023}, {0, 1024}, {0, 1025}, {1, 0}, {1, 1280}, {2, 0}, {2, 517}} {
		got = append(got, p.Offset(c.aim, c.target).Nanoseconds())
	}
	want := []int64{62950254678, 328497129678, 563106504678, 499796533584, 466865919828, 537015380859, 279095563888,
		535671873092, 476464101076, 175307425260, 522668581008}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	h := fnv.New64a()
	for shot := range p.Shots() {
		fmt.Fprintln(h, shot.Aim, shot.Target, shot.At.Nanoseconds())
	}
	if sum := h.Sum64(); sum != 0xd49dfeeb900188c3 {
		t.Errorf("the order of all shots hashes to %#x", sum)
	}
}

func drawPlan(t *rapid.T) *Plan {
	targets := rapid.SliceOfN(rapid.SampledFrom([]string{
		"198.18.0.0/24", "198.18.1.0/25", "198.18.2.0/22", "198.18.9.1", "198.18.9.200/29", "2001:db8::/122", "2001:db8:1::5"}), 1, 4).Draw(t, "targets")
	var kept []string
	for _, target := range targets {
		if p, err := parsePrefix(target); err == nil && p == p.Masked() {
			kept = append(kept, target)
		}
	}
	space, err := ParseSpace(append(kept, "198.18.200.1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	aims := []Aim{{ICMP, space}, {TCP(443), space}}[:rapid.IntRange(1, 2).Draw(t, "aims")]
	span := time.Duration(rapid.SampledFrom([]int{0, 1, 1000, 660_000, 86_400_000}).Draw(t, "span")) * time.Millisecond
	return NewPlan(rapid.Uint64().Draw(t, "seed"), span, aims)
}

// TestShotsAndOffsetsAgree: the shots are every service once, in order of time, at its offset, within the span.
func TestShotsAndOffsetsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		seen := map[[2]int]bool{}
		var last time.Duration
		for shot := range p.Shots() {
			key := [2]int{shot.Aim, shot.Target}
			if seen[key] {
				t.Fatalf("%v comes twice", key)
			}
			seen[key] = true
			if shot.At < last || shot.At != p.Offset(shot.Aim, shot.Target) || shot.At < 0 || p.Span() > 0 && shot.At >= p.Span() {
				t.Fatalf("%v at %s, after %s; its offset is %s", key, shot.At, last, p.Offset(shot.Aim, shot.Target))
			}
			last = shot.At
		}
		if len(seen) != p.Len() {
			t.Fatalf("%d shots of %d", len(seen), p.Len())
		}
	})
}

// TestEverySliceHoldsItsShare: in any tenth of a round, each /24 and protocol has a tenth of its probes, give or take one.
func TestEverySliceHoldsItsShare(t *testing.T) {
	space := testSpace(t, "198.18.0.0/22")
	for seed := range uint64(20) {
		p := NewPlan(seed, 100*time.Second, []Aim{{ICMP, space}, {DNS, space}})
		counts := map[[3]int]int{}
		for shot := range p.Shots() {
			counts[[3]int{shot.Aim, shot.Target / 256, int(shot.At / (10 * time.Second))}]++
		}
		if len(counts) != 2*4*10 {
			t.Fatalf("seed %d: %d slices have probes", seed, len(counts))
		}
		for key, n := range counts {
			if n < 25 || n > 26 {
				t.Errorf("seed %d: slice %v has %d of 256", seed, key, n)
			}
		}
	}
}

func TestSeedsGiveDifferentOrders(t *testing.T) {
	order := func(seed uint64) (targets []int) {
		for shot := range NewPlan(seed, time.Minute, []Aim{{ICMP, testSpace(t, "198.18.0.0/26")}}).Shots() {
			targets = append(targets, shot.Target)
		}
		return targets
	}
	if a, b := order(1), order(2); slices.Equal(a, b) || slices.IsSorted(a) {
		t.Errorf("orders %v and %v", a, b)
	}
	if !slices.Equal(order(3), order(3)) {
		t.Error("a seed gives two orders")
	}
}

func TestShotsCanBeLeft(t *testing.T) {
	n := 0
	for range NewPlan(1, time.Minute, []Aim{{ICMP, testSpace(t, "198.18.0.0/22")}}).Shots() {
		if n++; n == 3 {
			break
		}
	}
	for range NewPlan(1, time.Minute, nil).Shots() {
		t.Error("an empty plan has a shot")
	}
}
