package web

import (
	"bytes"
	"testing"

	"brownout/probe/outage"
	"brownout/store"
)

// TestPeriodOfNothing proves that what was not expected, not known or not answered is left out, and is no zero.
func TestPeriodOfNothing(t *testing.T) {
	rtt := [5]uint32{1, 2, 3, 4, 5}
	for _, tt := range []struct {
		hour      store.Hour
		json, csv string
	}{
		{store.Hour{Rounds: 2, Judged: 2, States: [6]int{outage.Unobservable: 2}, Lives: 1, Targets: 256, Timed: 1, RTT: rtt},
			`"state":"unobservable","response_rate":null,"lowest_rate":null,"expected":null,"observed":null,"responsive":0.5,"targets":256,"rtt_us":[1,2,3,4,5]}`,
			",2,unobservable,,,,,0.5,256,1,2,3,4,5\n"},
		{store.Hour{Rounds: 2, States: [6]int{outage.Unknown: 2}, Targets: 256},
			`"state":"unknown","response_rate":null,"lowest_rate":null,"expected":null,"observed":null,"responsive":null,"targets":256,"rtt_us":null}`,
			",2,unknown,,,,,,256,,,,,\n"},
		{store.Hour{Rounds: 1, Judged: 1, States: [6]int{outage.Total: 1}, Expected: 20_0000, Targets: 256},
			`"state":"total","response_rate":0.0,"lowest_rate":0.0,"expected":20.0,"observed":0.0,"responsive":0.0,"targets":256,"rtt_us":null}`,
			",1,total,0.0,0.0,20.0,0.0,0.0,256,,,,,\n"},
	} {
		p := periodOf("space", &tt.hour, hourMS)
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
