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
		var csvWant strings.Builder
		row := make([]string, len(observationColumns))
		for i, c := range observationColumns {
			row[i] = c.of(&o)
		}
		w := csv.NewWriter(&csvWant)
		if err := w.Write(row); err != nil {
			t.Fatal(err)
		}
		w.Flush()
		if got := o.appendCSV(nil); string(got) != csvWant.String() {
			t.Errorf("CSV %q, want %q", got, &csvWant)
		}
	}
}
