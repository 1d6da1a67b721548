package store

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"brownout/probe"
)

func exported(t *testing.T, s *Store, during func()) []*probe.Round {
	t.Helper()
	var all []*probe.Round
	err := s.Export(func(r *probe.Round) error {
		all = append(all, r)
		if during != nil {
			during()
			during = nil
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// The last line says how far was judged, unless everything was.
func TestExportUntil(t *testing.T) {
	s := openTest(t)
	if all := exported(t, s, nil); len(all) != 0 {
		t.Errorf("an empty store exports %d rounds", len(all))
	}
	a, b := somePopulation(t, 1), somePopulation(t, 2)
	mustCommit(t, s, Commit{Sealed: []*probe.Round{a, b}, Cursor: b.End})
	until := *b
	until.Until = b.End
	if diff := cmp.Diff([]*probe.Round{a, &until}, exported(t, s, nil), sameRounds); diff != "" {
		t.Error(diff)
	}
	mustCommit(t, s, Commit{Cursor: b.End.Add(b.TimeoutMS() + 1)})
	if diff := cmp.Diff([]*probe.Round{a, b}, exported(t, s, nil), sameRounds); diff != "" {
		t.Error(diff)
	}
	late := *b
	late.Passes = append([]probe.Pass(nil), b.Passes...)
	answers := append([]probe.Answer(nil), b.Passes[0].Answers...)
	answers[3].Outcome, answers[3].Offset, answers[3].RTT = probe.Late, int32(b.End-b.Start), probe.QuantiseRTT(9_000_000)
	late.Passes[0].Answers = answers
	mustCommit(t, s, Commit{Sealed: []*probe.Round{&late}})
	late.Until = b.End.Add(b.TimeoutMS() + 1)
	if diff := cmp.Diff([]*probe.Round{a, &late}, exported(t, s, nil), sameRounds); diff != "" {
		t.Error(diff)
	}
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
