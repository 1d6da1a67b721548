package web

import (
	"bytes"
	"testing"

	"brownout/probe"
	"brownout/probe/outage"
	"brownout/store"
)

// TestPeriodOfNothing proves that what was not expected, not known or not answered is left out, and is no zero.
func TestPeriodOfNothing(t *testing.T) {
	rtt := [5]uint32{1, 2, 3, 4, 5}
	for _, tt := range []struct {
		state     outage.State
		hour      store.Hour
		json, csv string
	}{
		{outage.Unobservable, store.Hour{Rounds: 2, Judged: 2, Lives: 1, Targets: 256, Timed: 1, RTT: rtt},
			`"state":"unobservable","total_s":0,"partial_s":0,"unknown_s":0,"response_rate":null,"lowest_rate":null,"expected":null,"observed":null,"responsive":0.5,"targets":256,"rtt_us":[1,2,3,4,5]}`,
			",2,unobservable,0,0,0,,,,,0.5,256,1,2,3,4,5\n"},
		{outage.Unknown, store.Hour{Rounds: 2, Targets: 256},
			`"state":"unknown","total_s":0,"partial_s":0,"unknown_s":3600,"response_rate":null,"lowest_rate":null,"expected":null,"observed":null,"responsive":null,"targets":256,"rtt_us":null}`,
			",2,unknown,0,0,3600,,,,,,256,,,,,\n"},
		{outage.Total, store.Hour{Rounds: 1, Judged: 1, Expected: 20_0000, Targets: 256},
			`"state":"total","total_s":3600,"partial_s":0,"unknown_s":0,"response_rate":0.0,"lowest_rate":0.0,"expected":20.0,"observed":0.0,"responsive":0.0,"targets":256,"rtt_us":null}`,
			",1,total,3600,0,0,0.0,0.0,20.0,0.0,0.0,256,,,,,\n"},
	} {
		p := periodOf("space", &tt.hour, hourMS)
		p.hold([]outage.Stretch{{State: tt.state, Start: -hourMS, End: 2 * hourMS}})
		got, err := encode(&p)
		if err != nil || !bytes.HasSuffix(got, []byte(tt.json)) {
			t.Errorf("%s, %v: want %s", got, err, tt.json)
		}
		var b bytes.Buffer
		if err := writeCSV(&b, periodColumns, each([]Period{p})); err != nil || !bytes.HasSuffix(b.Bytes(), []byte(tt.csv)) {
			t.Errorf("%s, %v: want %s", b.Bytes(), err, tt.csv)
		}
	}
}

// TestPeriodHolds: of a period the worst state counts, however short it was, and each state's seconds are the period's own.
func TestPeriodHolds(t *testing.T) {
	states := []outage.Stretch{
		{State: outage.Learning, Start: 0, End: hourMS},
		{State: outage.Up, Start: hourMS, End: 2*hourMS - 1500},
		{State: outage.Total, Start: 2*hourMS - 1500, End: 2*hourMS + 60_000},
		{State: outage.Partial, Start: 2*hourMS + 60_000, End: 2*hourMS + 90_000},
		{State: outage.Up, Start: 2*hourMS + 90_000, End: 3*hourMS + 5000},
		{State: outage.Unknown, Start: 3*hourMS + 5000, End: 3*hourMS + 5001},
		{State: outage.Up, Start: 3*hourMS + 5001, End: 5 * hourMS},
	}
	rest := states
	for hour, want := range []Period{
		{State: outage.Learning}, {State: outage.Total, TotalFor: 2}, {State: outage.Total, TotalFor: 60, PartialFor: 30},
		{State: outage.Unknown}, {State: outage.Up}, {State: outage.Learning},
	} {
		p := Period{Start: probe.Instant(hour * hourMS), End: probe.Instant((hour + 1) * hourMS)}
		rest = p.hold(rest)
		if p.State != want.State || p.TotalFor != want.TotalFor || p.PartialFor != want.PartialFor || p.UnknownFor != want.UnknownFor {
			t.Errorf("hour %d: %+v, want %+v", hour, p, want)
		}
	}
	day := Period{End: dayMS}
	if day.hold(states); day.State != outage.Total || day.TotalFor != 62 || day.PartialFor != 30 {
		t.Errorf("the day: %+v", day)
	}
}
