package web

import (
	"encoding/csv"
	"net/netip"
	"strings"
	"testing"

	"brownout/probe"
)

// What is encoded by hand is what the struct's tags and the table of columns say.
func TestQuickObservations(t *testing.T) {
	at, rtt, seven := probe.Instant(1419264000123), uint32(180_000), uint8(7)
	from := netip.MustParseAddr("2001:db8::1")
	for _, o := range []Observation{
		{Address: netip.MustParseAddr("198.18.0.3"), Protocol: probe.TCP(80), Outcome: probe.Unsent},
		{Round: at, Kind: probe.Core, Vantage: `a "b", c`, VantageOK: true, Address: from, Protocol: probe.ICMP, SentAt: &at,
			Outcome: probe.Unreachable, RTT: &rtt, Type: &seven, Code: &seven, From: &from},
		{Vantage: " <x>\n", Outcome: probe.Reply, Address: from, Protocol: probe.DNS},
		{Vantage: `\.`, Address: from, Protocol: probe.DNS},
	} {
		want, err := encode(o)
		if err != nil {
			t.Fatal(err)
		}
		if got := o.appendJSON(nil); string(got) != string(want) {
			t.Errorf("JSON %s, want %s", got, want)
		}
		one := func(yield func(*Observation, error) bool) { yield(&o, nil) }
		var got, again strings.Builder
		if err := writeCSV(&got, observationColumns, one); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(strings.NewReader(got.String())).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if err := csv.NewWriter(&again).WriteAll(rows); err != nil || got.String() != again.String() {
			t.Errorf("CSV %q, encoding/csv has %q, %v", &got, &again, err)
		}
	}
}
