package store

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"brownout/probe"
)

func exported(t *testing.T, s *Store, during func()) []*probe.Round {
	t.Helper()
	var all []*probe.Round
	for r, err := range s.Export(0, 1<<60) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
		if during != nil {
			during()
			during = nil
		}
	}
	return all
}

// The last line says how far was judged, and what began later is left out.
func TestExportUntil(t *testing.T) {
	s := openTest(t)
	if all := exported(t, s, nil); len(all) != 0 {
		t.Errorf("an empty store exports %d rounds", len(all))
	}
	a, b := somePopulation(t, 1), somePopulation(t, 2)
	mustCommit(t, s, Commit{Sealed: []*probe.Round{a, b}})
	if diff := cmp.Diff([]*probe.Round{a, b}, exported(t, s, nil), sameRounds); diff != "" {
		t.Error(diff)
	}
	untilA, untilB := *a, *b
	mustCommit(t, s, Commit{Cursor: b.Start})
	untilA.Until = b.Start
	if diff := cmp.Diff([]*probe.Round{&untilA}, exported(t, s, nil), sameRounds); diff != "" {
		t.Error(diff)
	}
	mustCommit(t, s, Commit{Cursor: b.End})
	untilB.Until = b.End
	if diff := cmp.Diff([]*probe.Round{a, &untilB}, exported(t, s, nil), sameRounds); diff != "" {
		t.Error(diff)
	}
	untilA.Until = a.Last() + 1
	if diff := cmp.Diff([]*probe.Round{&untilA}, exportedOf(t, s, 0, b.Start), sameRounds); diff != "" {
		t.Error(diff)
	}
}

func exportedOf(t *testing.T, s *Store, from, to probe.Instant) (all []*probe.Round) {
	t.Helper()
	for r, err := range s.Export(from, to) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// What is committed while an export runs is not in it, and it carries the cursor of its own moment.
func TestExportIsOneMoment(t *testing.T) {
	s := openTest(t)
	a, b, c := somePopulation(t, 1), somePopulation(t, 2), somePopulation(t, 3)
	half := *b
	half.End, half.Passes = b.Start.Add(1000), b.Passes[:1]
	mustCommit(t, s, Commit{Sealed: []*probe.Round{a}, Rounds: []*probe.Round{&half}, Cursor: half.End})
	got := exported(t, s, func() {
		mustCommit(t, s, Commit{Sealed: []*probe.Round{b, c}, Cursor: c.End})
	})
	half.Until = half.End
	if diff := cmp.Diff([]*probe.Round{a, &half}, got, sameRounds); diff != "" {
		t.Error(diff)
	}
}
