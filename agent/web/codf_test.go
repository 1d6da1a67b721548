package web

import (
	"testing"

	"brownout/probe/outage"
)

// TestCodfOfPhases proves that an outage that was total for a part of it is scored by that part, and that one whose figures
// are not known says no fraction.
func TestCodfOfPhases(t *testing.T) {
	start, dark := between("2026-11-28 18:08:00", "2026-11-28 18:08:10", "2026-11-28 18:08:20"), instant("2026-11-28 18:08:30")
	lit, end := instant("2026-11-28 18:09:00"), instant("2026-11-28 18:10:10")
	at := func(i outage.Interval) *outage.Interval { return &i }
	o := outage.Outage{
		Block: outage.SpaceBlock, Kind: outage.Total, Start: start, End: at(outage.Interval{Earliest: end, At: end, Latest: end}), Expected: 48_0000,
		Phases: []outage.Phase{
			{Kind: outage.Partial, Start: start, End: at(outage.Interval{At: dark})},
			{Kind: outage.Total, Start: outage.Interval{At: dark}, End: at(outage.Interval{At: lit})},
			{Kind: outage.Partial, Start: outage.Interval{At: lit}, End: at(outage.Interval{At: end})},
		},
	}
	place := codfPlace{location: "space/demo", name: "128 addresses"}
	e := codfOf(&o, place, 0, outage.EndOfTime, end)
	if e.Location != "space/demo" || e.LocationName != "128 addresses" || e.Duration != 120 || e.Fraction == nil || *e.Fraction != 1 || e.Score != 50 {
		t.Errorf("%+v: want a score of 100 %% for half a minute", e)
	}
	o.Expected = 0
	if e := codfOf(&o, place, 0, outage.EndOfTime, end); e.Fraction != nil || e.Score != 0 {
		t.Errorf("%+v: want no fraction of nobody", e)
	}
	o.Block = "198.18.1.0/24"
	if e := codfOf(&o, place, 0, outage.EndOfTime, end); e.Location != "prefix/198.18.1.0/24" || e.LocationName != o.Block {
		t.Errorf("a block is at %q, named %q", e.Location, e.LocationName)
	}
}
