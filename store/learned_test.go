package store

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"

	"brownout/probe"
	"brownout/probe/outage"
)

// fixtureRounds are 36 rounds from 2026-03-01T00:00Z on: all is dark from 04:00 to 04:50, 198.18.1.0/28 from 05:40 on.
const fixtureRounds = "../agent/testdata/rounds.jsonl"

func readFixture(t *testing.T) (rounds []*probe.Round) {
	t.Helper()
	f, err := os.Open(fixtureRounds)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for in := probe.NewRoundReader(f); ; {
		r, err := in.Next()
		if errors.Is(err, io.EOF) {
			return rounds
		}
		if err != nil {
			t.Fatal(err)
		}
		rounds = append(rounds, r)
	}
}

// anotherVersion is a snapshot that this version cannot read.
var anotherVersion = []byte{0, 1, 2, 3}

// goOn judges rounds with what a store has learned, and commits each as an agent does.
func goOn(t *testing.T, s *Store, rounds []*probe.Round) {
	t.Helper()
	learned, err := s.Learned(24)
	if err != nil {
		t.Fatal(err)
	}
	d := learned.Detector
	if d == nil {
		d = outage.New(outage.Config{})
	}
	mustCommit(t, s, Commit{Findings: learned.Findings})
	// The round before was not wholly judged: an agent puts it again.
	for r, err := range s.Rounds(0, outage.EndOfTime, false) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Last() >= d.Cursor() {
			putRound(t, d, r)
		}
	}
	for _, r := range rounds {
		putRound(t, d, r)
		f := d.Advance(r.End.Add(-1000))
		snapshot, err := d.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		mustCommit(t, s, Commit{Sealed: []*probe.Round{r}, Findings: f, Detector: snapshot, Cursor: d.Cursor()})
	}
}

func putRound(t *testing.T, d *outage.Detector, r *probe.Round) {
	t.Helper()
	if err := d.Put(r); err != nil {
		t.Fatal(err)
	}
}

// told is what a store tells.
func told(t *testing.T, s *Store) (outages []outage.Outage, states []outage.Stretch) {
	t.Helper()
	outages, err := s.Outages()
	if err != nil {
		t.Fatal(err)
	}
	names, err := s.Blocks()
	if err != nil {
		t.Fatal(err)
	}
	var all []outage.Change
	for _, name := range names {
		said, err := s.Said(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, said...)
	}
	return outages, outage.Timeline(all, 1<<50)
}

// Whenever a snapshot is lost to another version, the same rounds come to the same outages and states.
func TestLearnedAnewIsTheSame(t *testing.T) {
	rounds := readFixture(t)
	whole := openTest(t)
	goOn(t, whole, rounds)
	wantOutages, wantStates := told(t, whole)
	for n := 1; n < len(rounds); n++ {
		s := openTest(t)
		goOn(t, s, rounds[:n])
		before, _ := told(t, s)
		mustCommit(t, s, Commit{Detector: anotherVersion})
		learned, err := s.Learned(0)
		if err != nil || !learned.Anew || learned.Rounds != n || learned.Detector.BlockBits != 24 {
			t.Fatalf("after %d rounds: %+v, %v", n, learned, err)
		}
		if f := learned.Findings; len(f.Outages)+len(f.Changes)+len(f.Summaries) > 0 {
			t.Errorf("after %d rounds something is told anew: %+v", n, f)
		}
		after, _ := told(t, s)
		if diff := cmp.Diff(before, after, sameRounds); diff != "" {
			t.Errorf("after %d rounds: %s", n, diff)
		}
		goOn(t, s, rounds[n:])
		outages, states := told(t, s)
		if diff := cmp.Diff(wantOutages, outages, sameRounds) + cmp.Diff(wantStates, states, sameRounds); diff != "" {
			t.Errorf("after %d rounds: %s", n, diff)
		}
	}
}

// A damaged snapshot costs no more than another version's.
func TestLearnedAnewWhereDamaged(t *testing.T) {
	rounds := readFixture(t)
	s := openTest(t)
	goOn(t, s, rounds[:30])
	before, _ := told(t, s)
	err := s.db.Update(func(tx *bolt.Tx) error {
		record := bytes.Clone(tx.Bucket(bucketState).Get(keyDetector))
		record[len(record)/2] ^= 2
		return tx.Bucket(bucketState).Put(keyDetector, record)
	})
	if err != nil {
		t.Fatal(err)
	}
	if learned, err := s.Learned(0); err != nil || !learned.Anew || learned.Rounds != 30 {
		t.Fatalf("%+v, %v", learned, err)
	}
	if after, _ := told(t, s); !cmp.Equal(before, after, sameRounds) {
		t.Error(cmp.Diff(before, after, sameRounds))
	}
	goOn(t, s, rounds[30:]) // and the store is whole again
	if snapshot, _, err := s.Detector(); err != nil || snapshot == nil {
		t.Errorf("%d bytes, %v", len(snapshot), err)
	}
}

func clock(h, m int) probe.Instant {
	return probe.InstantOf(time.Date(2026, 3, 1, h, m, 0, 0, time.UTC))
}

// lasting is an outage of the space that another version told to last.
func lasting(id string, kind outage.State, since probe.Instant) outage.Outage {
	start := outage.Interval{Earliest: since.Add(-5000), At: since, Latest: since.Add(5000)}
	return outage.Outage{ID: id, Block: outage.SpaceBlock, Kind: kind, Status: outage.Ongoing, Start: start,
		Phases: []outage.Phase{{Kind: kind, Start: start}}, DeclaredAt: since.Add(90_000)}
}

// What lasts at the cursor is carried on, ended or declared; what ended before stays as another version told it.
func TestCarryOn(t *testing.T) {
	over := lasting("space-over", outage.Partial, clock(2, 30))
	over.End, over.Status = &outage.Interval{Earliest: clock(2, 40), At: clock(2, 41), Latest: clock(2, 42)}, outage.Ended
	over.Phases[0].End = over.End
	for name, c := range map[string]struct {
		rounds int // before the cursor
		told   []outage.Outage
		states []outage.State // of the space, from the start on
		want   func(t *testing.T, all []outage.Outage, cursor probe.Instant)
	}{
		"carried on under its ID": {25, []outage.Outage{over, lasting("space-told", outage.Total, clock(4, 2))}, []outage.State{outage.Up, outage.Total},
			func(t *testing.T, all []outage.Outage, _ probe.Instant) {
				if o := all[1]; o.ID != "space-told" || o.Start.At != clock(4, 2) || o.Kind != outage.Total || o.End == nil || o.End.At < clock(4, 49) || o.End.At > clock(4, 55) {
					t.Errorf("it became %+v", o)
				}
			}},
		"carried on in another phase": {25, []outage.Outage{lasting("space-told", outage.Partial, clock(4, 2))}, []outage.State{outage.Up, outage.Partial},
			func(t *testing.T, all []outage.Outage, cursor probe.Instant) {
				if o := all[0]; o.ID != "space-told" || o.Kind != outage.Total || len(o.Phases) < 2 || o.Phases[1].Start.At != cursor {
					t.Errorf("it became %+v", o)
				}
			}},
		"not found at all": {20, []outage.Outage{over, lasting("space-told", outage.Partial, clock(3, 10))}, []outage.State{outage.Up, outage.Partial},
			func(t *testing.T, all []outage.Outage, cursor probe.Instant) {
				if o := all[1]; o.ID != "space-told" || o.Status != outage.Ended || o.End.At != cursor {
					t.Errorf("it became %+v", o)
				}
			}},
		"found to have ended": {29, []outage.Outage{lasting("space-told", outage.Total, clock(4, 2))}, []outage.State{outage.Up, outage.Total},
			func(t *testing.T, all []outage.Outage, cursor probe.Instant) {
				if o := all[0]; o.ID != "space-told" || o.End == nil || o.End.At != cursor || o.End.Earliest > clock(4, 55) {
					t.Errorf("it became %+v", o)
				}
			}},
		"found only now": {25, []outage.Outage{over}, []outage.State{outage.Up},
			func(t *testing.T, all []outage.Outage, cursor probe.Instant) {
				if o := all[1]; o.Kind != outage.Total || o.Start.At != cursor || o.DeclaredAt != cursor || o.Start.Earliest > clock(4, 1) || o.End == nil {
					t.Errorf("it became %+v", o)
				}
			}},
	} {
		t.Run(name, func(t *testing.T) {
			rounds := readFixture(t)
			cursor := rounds[c.rounds-1].End.Add(-1000)
			s := openTest(t)
			f := outage.Findings{Outages: c.told}
			for i, state := range c.states {
				since := []probe.Instant{clock(2, 0), c.told[len(c.told)-1].Start.At}[i]
				f.Changes = append(f.Changes, outage.Change{Block: outage.SpaceBlock, State: state, Since: since, DeclaredAt: since})
			}
			mustCommit(t, s, Commit{Sealed: rounds[:c.rounds], Findings: f, Detector: anotherVersion, Cursor: cursor})
			goOn(t, s, rounds[c.rounds:])
			all, err := s.Outages()
			if err != nil {
				t.Fatal(err)
			}
			var whole []outage.Outage
			for _, o := range all {
				if o.Block == outage.SpaceBlock {
					whole = append(whole, o)
				}
			}
			c.want(t, whole, cursor)
			if c.told[0].Status == outage.Ended && cmp.Diff(c.told[0], whole[0], sameRounds) != "" {
				t.Errorf("what had ended was changed: %+v", whole[0])
			}
			if last := whole[len(whole)-1]; last.Start.At < clock(5, 30) || last.End != nil {
				t.Errorf("what came after is %+v", last)
			}
		})
	}
}

// An outage of which no round is left ends; there is nothing to learn.
func TestCarryOnWithoutRounds(t *testing.T) {
	s := openTest(t)
	o := lasting("198.18.0.0/24-told", outage.Total, clock(4, 0))
	o.Block = "198.18.0.0/24"
	mustCommit(t, s, Commit{Findings: outage.Findings{Outages: []outage.Outage{o}}, Detector: anotherVersion, Cursor: clock(5, 0)})
	learned, err := s.Learned(24)
	if err != nil || learned.Detector.Cursor() != clock(5, 0) || len(learned.Findings.Outages) != 1 {
		t.Fatalf("%+v, %v", learned, err)
	}
	if got := learned.Findings.Outages[0]; got.End == nil || got.End.At != clock(5, 0) {
		t.Errorf("it became %+v", got)
	}
}

// Blocks are as long as they are named, or as long as they must be for the space to be the only one.
func TestBlockBits(t *testing.T) {
	s := openTest(t)
	if bits, err := s.BlockBits(0); bits != 24 || err != nil {
		t.Errorf("of an empty store: %d, %v", bits, err)
	}
	mustCommit(t, s, Commit{Sealed: []*probe.Round{somePopulation(t, 1)}, Findings: outage.Findings{Changes: []outage.Change{change(outage.Up, 0)}}})
	for otherwise, want := range map[int]int{0: 22, 16: 16} {
		if bits, err := s.BlockBits(otherwise); bits != want || err != nil {
			t.Errorf("of a /22 without blocks: %d, %v, want %d", bits, err, want)
		}
	}
	named := change(outage.Up, 0)
	named.Block = "198.18.0.0/23"
	mustCommit(t, s, Commit{Findings: outage.Findings{Changes: []outage.Change{named}}})
	if bits, err := s.BlockBits(16); bits != 23 || err != nil {
		t.Errorf("of /23s: %d, %v", bits, err)
	}
}

// An outage of before lists were added to it has empty ones.
func TestOldOutageHasEmptyLists(t *testing.T) {
	s := openTest(t)
	o := someOutage(epoch, true)
	o.Revisions = []outage.Revision{{At: o.DeclaredAt, Finding: outage.LateReply}}
	mustCommit(t, s, Commit{Findings: outage.Findings{Outages: []outage.Outage{o}}})
	got, err := s.Outage(o.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got.Dark == nil || got.Gone == nil || got.Protocols == nil || got.Evidence == nil || got.Conditions == nil ||
		got.Revisions[0].Addresses == nil || got.Revisions[0].Rounds == nil {
		t.Errorf("a list is null: %+v", got)
	}
}
