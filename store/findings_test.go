package store

import (
	"cmp"
	"net/netip"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"brownout/probe"
	"brownout/probe/outage"
)

func change(state outage.State, since int64) outage.Change {
	return outage.Change{Block: outage.SpaceBlock, State: state, Since: epoch.Add(since), DeclaredAt: epoch.Add(since + 90)}
}

// A change corrects whatever was said of the time from its Since on.
func TestChangesAreCorrected(t *testing.T) {
	s := openTest(t)
	said := []outage.Change{change(outage.Learning, 0), change(outage.Up, 100), change(outage.Unknown, 300), change(outage.Total, 250), change(outage.Up, 500)}
	said[1].Reason = "why"
	for _, c := range said {
		other := c
		other.Block = "198.18.0.0/24"
		mustCommit(t, s, Commit{Findings: outage.Findings{Changes: []outage.Change{c, other}}})
	}
	all, err := s.Said(outage.SpaceBlock)
	if diff := gocmp.Diff(said, all); diff != "" || err != nil {
		t.Error(diff, err)
	}
	for _, c := range []struct {
		from, to int64
		want     []int // of said
	}{
		{0, 1000, []int{0, 1, 3, 4}},
		{99, 1000, []int{0, 1, 3, 4}},
		{100, 250, []int{1}},
		{260, 500, []int{3}},
		{260, 501, []int{3, 4}},
		{700, 800, []int{4}},
		{-10, 0, nil},
	} {
		got, err := s.Changes(outage.SpaceBlock, epoch.Add(c.from), epoch.Add(c.to))
		var want []outage.Change
		for _, i := range c.want {
			want = append(want, said[i])
		}
		if diff := gocmp.Diff(want, got, sameRounds); diff != "" || err != nil {
			t.Errorf("%d to %d: %s %v", c.from, c.to, diff, err)
		}
	}
	if got, err := s.Changes("198.18.9.0/24", 0, 1<<60); len(got) != 0 || err != nil {
		t.Errorf("an unknown block: %v, %v", got, err)
	}
}

// An outage that changes stands once, at its latest start.
func TestOutages(t *testing.T) {
	s := openTest(t)
	a, b := someOutage(epoch, true), someOutage(epoch.Add(7_200_000), false)
	b.Status, b.End, b.Phases[0].End = outage.Ongoing, nil, nil
	b.Dark = []netip.Prefix{netip.MustParsePrefix("198.18.0.0/24")}
	mustCommit(t, s, Commit{Findings: outage.Findings{Outages: []outage.Outage{b, a}}})
	partOf := a.ID
	c := someOutage(epoch.Add(-3_600_000), false)
	c.Block, c.ID, c.PartOf = "198.18.0.0/24", "198.18.0.0/24-x", &partOf
	b2 := someOutage(epoch.Add(6_000_000), true)
	b2.ID = b.ID
	mustCommit(t, s, Commit{Findings: outage.Findings{Outages: []outage.Outage{b2, c}}})
	got, err := s.Outages()
	if diff := gocmp.Diff([]outage.Outage{c, a, b2}, got, sameRounds); diff != "" || err != nil {
		t.Error(diff, err)
	}
	one, err := s.Outage(b.ID)
	if diff := gocmp.Diff(&b2, one, sameRounds); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if none, err := s.Outage("space-never"); none != nil || err != nil {
		t.Error(none, err)
	}
}

// Summaries come back in order, once, whatever the order in which they were written.
func TestSummaries(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s, err := Open(t.TempDir()+"/store.db", Options{})
		if err != nil {
			rt.Fatal(err)
		}
		defer s.Close()
		s.db.NoSync = true
		n := rapid.IntRange(1, 150).Draw(rt, "n")
		order := seq(n)
		if rapid.Bool().Draw(rt, "shuffled") {
			order = rapid.Permutation(order).Draw(rt, "order")
		}
		want := make([]outage.Summary, n)
		for again := range 2 { // the second time they are replaced
			for part := range slices.Chunk(order, 40) {
				var f outage.Findings
				for _, i := range part {
					m := outage.Summary{Start: epoch.Add(int64(i/2) * 1000), Kind: probe.Kind(i % 2), Block: outage.SpaceBlock, State: outage.Up,
						Observed: again, Expected: outage.Decimal(mixed(uint64(i)) >> 40), Targets: 1024,
						RTT: [5]uint32{1, 0, 1_000_001, 3, uint32(mixed(uint64(i)))}}
					if i%3 > 0 {
						m.RTT = [5]uint32{0, 0, 128, 1 << 20, 1<<21 + 1<<20}
					}
					m.End = m.Start.Add(int64(i))
					want[i] = m
					other := m
					other.Block = "198.18.0.0/24"
					f.Summaries = append(f.Summaries, m, other)
				}
				if err := s.Commit(Commit{Findings: f}); err != nil {
					rt.Fatal(err)
				}
			}
		}
		from, to := rapid.IntRange(0, n).Draw(rt, "from")/2, rapid.IntRange(0, n+2).Draw(rt, "to")/2
		got, err := s.Summaries(outage.SpaceBlock, epoch.Add(int64(from)*1000), epoch.Add(int64(to)*1000))
		if err != nil {
			rt.Fatal(err)
		}
		var in []outage.Summary
		for i, m := range want {
			if i/2 >= from && i/2 < to {
				in = append(in, m)
			}
		}
		if diff := gocmp.Diff(in, got, sameRounds); diff != "" {
			rt.Fatal(diff)
		}
		if err := s.Verify(nil); err != nil {
			rt.Fatal(err)
		}
	})
}

// Verify names what does not fit together.
func TestVerifyFinds(t *testing.T) {
	for want, spoil := range map[string]func(o *outage.Outage){
		"against its end": func(o *outage.Outage) { o.Status = outage.Ongoing },
		"starts at":       func(o *outage.Outage) { o.Phases[0].Start.At++ },
		"last phase":      func(o *outage.Outage) { o.Phases[0].End = nil },
		"adjoin":          func(o *outage.Outage) { o.Phases = append(o.Phases, o.Phases[0]) },
		"overlap":         func(o *outage.Outage) { o.Block = outage.SpaceBlock },
		"revision 0 was found before": func(o *outage.Outage) {
			o.Revisions = []outage.Revision{{At: o.DeclaredAt - 1, Finding: outage.Moved}}
		},
		"revision 1 was found before": func(o *outage.Outage) {
			o.Revisions = []outage.Revision{{At: o.DeclaredAt + 2, Finding: outage.LateReply}, {At: o.DeclaredAt + 1, Finding: outage.Moved}}
		},
	} {
		s, err := Open(t.TempDir()+"/store.db", Options{})
		if err != nil {
			t.Fatal(err)
		}
		a, b := someOutage(epoch, true), someOutage(epoch.Add(1), true)
		b.ID, b.Block = "b", "198.18.0.0/24"
		spoil(&b)
		mustCommit(t, s, Commit{Findings: outage.Findings{Outages: []outage.Outage{a, b}}})
		wantError(t, s.Verify(nil), nil, want)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What an address's history says is what its rounds say, whether they stand alone or in a pack, and from either end.
func TestAddress(t *testing.T) {
	s := openTest(t)
	s.packAt = 4
	var rounds []*probe.Round
	for n := range 30 {
		r := somePopulation(t, n)
		switch n % 5 {
		case 1:
			r.Passes[1].Unsent = []int32{3}
			r.Passes[1].Answers = r.Passes[1].Answers[2:]
		case 2:
			r.Passes[2].Answers = slices.DeleteFunc(r.Passes[2].Answers, func(a probe.Answer) bool { return a.Target == 3 })
			r.VantageBad = []probe.Window{{From: 0, To: 330_000}}
		case 3:
			a := &r.Passes[0].Answers[0]
			a.Outcome, a.Type, a.Code, a.From, a.RTT = probe.Unreachable, 3, 1, r.Space.Addr(9), 0
		case 4:
			r.Seeded, r.Seed = false, 0
			r.Passes[3].Targets, _ = probe.ParseSpace([]string{"198.18.0.0/29", "198.18.2.0/30"}, nil)
			r.Passes[3].Answers = nil
		}
		rounds = append(rounds, r)
		mustCommit(t, s, Commit{Sealed: []*probe.Round{r}})
	}
	for _, index := range []int{3, 12, 40, 700, 1023} {
		addr := rounds[0].Space.Addr(index)
		var want []Sighting
		for _, r := range rounds {
			for i := range r.Passes {
				if target, ok := r.Passes[i].Targets.Index(addr); ok {
					want = append(want, SightingOf(r, i, int32(target)))
				}
			}
		}
		for _, newestFirst := range []bool{false, true} {
			var got []Sighting
			for seen, err := range s.Address(addr, 0, 1<<60, newestFirst) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, *seen)
			}
			slices.SortStableFunc(got, func(a, b Sighting) int { return cmp.Compare(a.Start, b.Start) })
			if diff := gocmp.Diff(want, got, sameRounds); diff != "" {
				t.Fatalf("%v, newest first %v: %s", addr, newestFirst, diff)
			}
		}
	}
	for seen := range s.Address(netip.MustParseAddr("198.18.4.0"), 0, 1<<60, false) {
		t.Errorf("an address that was no target: %+v", seen)
	}
}

func TestSighting(t *testing.T) {
	r := somePopulation(t, 1)
	r.Passes[1].Unsent = []int32{3}
	r.Passes[1].Answers = r.Passes[1].Answers[2:]
	r.Passes[2].Answers = slices.DeleteFunc(r.Passes[2].Answers, func(a probe.Answer) bool { return a.Target == 3 })
	reply := Sighting{Start: r.Start, Vantage: "fra1", VantageOK: true, Protocol: probe.ICMP, Outcome: probe.Reply,
		Sent: r.Start.Add(int64(r.Passes[0].Answers[0].Offset)), SentKnown: true, RTT: r.Passes[0].Answers[0].RTT}
	unsent := Sighting{Start: r.Start, Vantage: "fra1", VantageOK: true, Protocol: probe.TCP(80), Outcome: probe.Unsent}
	silent := Sighting{Start: r.Start, Vantage: "fra1", VantageOK: true, Protocol: probe.TCP(443), Outcome: probe.Timeout,
		Sent: r.Start.Add(r.Plan().Offset(2, 3).Milliseconds()), SentKnown: true}
	for i, want := range []Sighting{reply, unsent, silent} {
		if diff := gocmp.Diff(want, SightingOf(r, i, 3), sameRounds); diff != "" {
			t.Error(diff)
		}
	}
}

func TestSpacesAndStats(t *testing.T) {
	s := openTest(t)
	if st, err := s.Stats(); err != nil || st.Rounds != 0 || st.CreatedBy != "test" || st.FileSize == 0 {
		t.Errorf("%+v, %v", st, err)
	}
	small, err := probe.ParseSpace([]string{"198.18.0.0/30"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var want []Epoch
	for n := range 6 {
		r := somePopulation(t, n)
		if n == 2 || n == 3 {
			r.Space, r.Passes = small, []probe.Pass{{Protocol: probe.ICMP, Targets: small}}
		}
		if n == 0 || n == 2 || n == 4 {
			want = append(want, Epoch{r.Start, r.Space})
		}
		mustCommit(t, s, Commit{Rounds: []*probe.Round{r}})
		mustCommit(t, s, Commit{Sealed: []*probe.Round{r}, Cursor: r.End})
	}
	got, err := s.Spaces()
	if diff := gocmp.Diff(want, got, sameRounds); diff != "" || err != nil {
		t.Error(diff, err)
	}
	st, err := s.Stats()
	if err != nil || st.Rounds != 6 || st.Open != 0 || st.First != somePopulation(t, 0).Start || st.Last != somePopulation(t, 5).Start {
		t.Errorf("%+v, %v", st, err)
	}
}
