package store

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"brownout/probe"
)

// anyRun draws sealed rounds that follow each other, some of one frame.
func anyRun(t *rapid.T) []*record {
	var run []*record
	for range rapid.IntRange(1, 12).Draw(t, "rounds") {
		rec := anyRecord(t)
		if len(run) > 0 && rapid.Bool().Draw(t, "alike") {
			copied := *run[len(run)-1].round
			rec.round = &copied
		}
		rec.sealed = true
		if len(run) > 0 {
			before := run[len(run)-1].round
			rec.linked, rec.before = true, keyOf(before)
			rec.round.Start = before.Start.Add(rapid.Int64Range(1, 1<<33).Draw(t, "gap"))
			rec.round.End = rec.round.Start.Add(rapid.Int64Range(0, 1<<33).Draw(t, "lasts"))
		}
		run = append(run, rec)
	}
	return run
}

func TestPackRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		run := anyRun(t)
		f := newFrames()
		b, err := appendPack(nil, run, f)
		if err != nil {
			t.Fatal(err)
		}
		p, err := decodePack(b, keyOf(run[0].round), f)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.records()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(run, got, sameRecord); diff != "" {
			t.Fatal(diff)
		}
		if again, err := appendPack(nil, got, f); err != nil || !bytes.Equal(b, again) {
			t.Fatalf("encodes again as %x, not %x: %v", again, b, err)
		}
		for cut := 0; cut < len(b); cut += 1 + cut/16 {
			if _, err := decodePack(b[:cut], keyOf(run[0].round), f); err == nil {
				t.Fatalf("cut to %d of %d bytes it still decodes", cut, len(b))
			}
		}
	})
}

// Whatever the bytes, decoding a pack does not panic.
func FuzzDecodePack(f *testing.F) {
	known := newFrames()
	var run []*record
	for n := range 20 {
		rec := &record{round: somePopulation(f, n), sealed: true}
		if n > 0 {
			rec.linked, rec.before = true, keyOf(run[n-1].round)
		}
		run = append(run, rec)
	}
	b, err := appendPack(nil, run, known)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(_ *testing.T, b []byte) {
		if p, err := decodePack(b, key{start: epoch}, known); err == nil {
			_, _ = p.records()
		}
	})
}

// A round that stands in a pack can be sealed again, and one be put before it, between two and after.
func TestWriteIntoPack(t *testing.T) {
	s := openTest(t)
	s.packAt = 4
	var want []*probe.Round
	for n := range 40 {
		r := somePopulation(t, 2*n+1)
		want = append(want, r)
		mustCommit(t, s, Commit{Sealed: []*probe.Round{r}})
	}
	again := *want[5]
	again.Vantage = "elsewhere"
	want[5] = &again
	mustCommit(t, s, Commit{Sealed: []*probe.Round{&again}})
	for at, n := range map[int]int{0: 0, 11: 20, 20: 38} {
		_ = at
		mustCommit(t, s, Commit{Sealed: []*probe.Round{somePopulation(t, n)}})
	}
	if err := s.Commit(Commit{Rounds: []*probe.Round{want[7]}}); err == nil {
		t.Error("a sealed round in a pack was unsealed")
	}
	got := collect(t, s, 0, 1<<60, false)
	if len(got) != 43 || got[0].Start != somePopulation(t, 0).Start {
		t.Fatalf("%d rounds from %v on", len(got), got[0].Start)
	}
	got = append(append(got[1:11:11], got[12:21]...), got[22:]...)
	if len(got) != len(want) {
		t.Fatalf("%d rounds", len(got))
	}
	if diff := cmp.Diff(want, got, sameRounds); diff != "" {
		t.Error(diff)
	}
}
