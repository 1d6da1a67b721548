package store

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"brownout/probe"
	"brownout/probe/outage"
)

func TestDayRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := &day{start: floorTo(epoch, dayMS), linked: rapid.Bool().Draw(t, "linked")}
		if want.linked {
			want.before = want.start.Add(-dayMS * rapid.Int64Range(1, 1000).Draw(t, "before"))
		}
		for i := range int64(24) {
			if !rapid.Bool().Draw(t, "hour") {
				continue
			}
			h := Hour{Start: want.start.Add(i * hourMS)}
			for range rapid.IntRange(1, 5).Draw(t, "rounds") {
				m := outage.Summary{State: outage.State(rapid.IntRange(0, 5).Draw(t, "state")), Observed: rapid.IntRange(0, 70000).Draw(t, "observed"),
					Expected: outage.Decimal(rapid.Int64Range(0, 1<<32).Draw(t, "expected")), Responsive: rapid.IntRange(0, 9).Draw(t, "lives"), Targets: 256}
				for p := range m.RTT {
					m.RTT[p] = rapid.Uint32Range(0, 1<<31).Draw(t, "rtt")
				}
				h.add(&m)
			}
			h.quantise()
			want.hours = append(want.hours, h)
		}
		got, err := decodeDay(appendDay(nil, want), want.start, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(day{})); diff != "" {
			t.Fatal(diff)
		}
	})
}

// Hours say what their rounds do, whatever the order in which these come and however often they are revised.
func TestHours(t *testing.T) {
	s := openTest(t)
	at := floorTo(epoch, dayMS)
	put := func(minute int64, st outage.State, observed int, rtt uint32) {
		m := outage.Summary{Start: at.Add(minute * 60_000), End: at.Add(minute*60_000 + 1), Block: outage.SpaceBlock, State: st,
			Expected: 20 * decimals, Observed: observed, Responsive: observed + 1, Targets: 256}
		for p := range m.RTT {
			m.RTT[p] = rtt
		}
		mustCommit(t, s, Commit{Findings: outage.Findings{Summaries: []outage.Summary{m}}})
	}
	put(23*60+59, outage.Up, 20, 0)
	put(10, outage.Up, 20, 1000)
	put(-1, outage.Up, 20, 0)
	put(59, outage.Partial, 10, 3000)
	put(20, outage.Unknown, 0, 0)
	put(59, outage.Partial, 12, 3000)
	hours, err := s.Hours(outage.SpaceBlock, at, at.Add(hourMS), false)
	if err != nil || len(hours) != 1 {
		t.Fatalf("%+v, %v", hours, err)
	}
	h := hours[0]
	if h.Start != at || h.Rounds != 3 || h.Judged != 2 || h.Observed != 32 || h.Rate() != 8000 || h.Lowest != 6000 || h.Lives != 34 ||
		h.States[outage.Partial] != 1 || h.States[outage.Unknown] != 1 || h.RTT[2] != probe.QuantiseRTT(2000) {
		t.Errorf("%+v, rate %v", h, h.Rate())
	}
	if all, err := s.Hours(outage.SpaceBlock, 0, 1<<60, false); err != nil || len(all) != 3 {
		t.Errorf("%+v, %v", all, err)
	}
	days, err := s.Hours(outage.SpaceBlock, at, at.Add(dayMS), true)
	if err != nil || len(days) != 1 || days[0].Rounds != 4 || days[0].Observed != 52 || days[0].Rate() != outage.Ratio(52, 60) {
		t.Errorf("%+v, %v", days, err)
	}
	if none, err := s.Hours("198.18.0.0/24", 0, 1<<60, false); err != nil || len(none) != 0 {
		t.Errorf("%+v, %v", none, err)
	}
}

// A round in which nothing was expected has no rate, and makes none of the hour and the day that it is in lower.
func TestHoursBeforeAnythingWasExpected(t *testing.T) {
	s := openTest(t)
	at := floorTo(epoch, dayMS)
	put := func(minute int64, st outage.State, expected outage.Decimal, observed int) {
		m := outage.Summary{Start: at.Add(minute * 60_000), End: at.Add(minute*60_000 + 1), Block: outage.SpaceBlock, State: st,
			Expected: expected, Observed: observed, Responsive: 20, Targets: 256}
		mustCommit(t, s, Commit{Findings: outage.Findings{Summaries: []outage.Summary{m}}})
	}
	put(1, outage.Learning, 0, 0)
	put(21, outage.Up, 20*decimals, 18)
	put(41, outage.Up, 20*decimals, 20)
	put(61, outage.Learning, 0, 0)
	hours, err := s.Hours(outage.SpaceBlock, at, at.Add(dayMS), false)
	if err != nil || len(hours) != 2 {
		t.Fatalf("%+v, %v", hours, err)
	}
	days, err := s.Hours(outage.SpaceBlock, at, at.Add(dayMS), true)
	if err != nil || len(days) != 1 {
		t.Fatalf("%+v, %v", days, err)
	}
	for _, h := range []Hour{hours[0], days[0]} {
		if !h.Rated() || h.Lowest != 9000 {
			t.Errorf("the lowest of 90 %% and 100 %% is %v: %+v", h.Lowest, h)
		}
	}
	if hours[1].Rated() {
		t.Errorf("nothing was expected, and there is a rate: %+v", hours[1])
	}
}

// A store in which an earlier version took a round without expectations for one of which nobody answered is not damaged.
func TestVerifyTakesOldLowest(t *testing.T) {
	s := openTest(t)
	at := floorTo(epoch, dayMS)
	for i, m := range []outage.Summary{{State: outage.Learning}, {State: outage.Up, Expected: 20 * decimals, Observed: 18}} {
		m.Start, m.End, m.Block, m.Targets = at.Add(int64(i)*60_000), at.Add(int64(i)*60_000+1), outage.SpaceBlock, 256
		mustCommit(t, s, Commit{Findings: outage.Findings{Summaries: []outage.Summary{m}}})
	}
	put := func(change func(*Hour)) {
		t.Helper()
		hours, err := s.Hours(outage.SpaceBlock, at, at.Add(hourMS), false)
		if err != nil || len(hours) != 1 {
			t.Fatalf("%+v, %v", hours, err)
		}
		change(&hours[0])
		if err := s.update(func(tx *writeTx) error {
			bl, err := readBlock(tx.Tx, outage.SpaceBlock)
			if err != nil {
				return err
			}
			return putDay(tx, bl, at, hours)
		}); err != nil {
			t.Fatal(err)
		}
	}
	put(func(h *Hour) { h.Lowest = 0 })
	if err := s.Verify(nil); err != nil {
		t.Error(err)
	}
	put(func(h *Hour) { h.Lowest = 5000 })
	if s.Verify(nil) == nil {
		t.Error("a lowest rate that no round had is taken")
	}
	put(func(h *Hour) { h.Lowest = 9000 })
}
