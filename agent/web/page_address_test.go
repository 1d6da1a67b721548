package web

import (
	"net/netip"
	"testing"
	"time"

	"brownout/probe"
)

// TestErrorsHaveNoRoundTripTime proves that how soon a router reported an address as unreachable is no time of the address's.
func TestErrorsHaveNoRoundTripTime(t *testing.T) {
	space, err := probe.ParseSpace([]string{"198.18.0.0/30"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &probe.Round{Start: 1000, End: 9000, VantageOK: true, Space: space, Timeout: time.Second, Scale: 1, Passes: []probe.Pass{{
		Protocol: probe.ICMP, Targets: space, Answers: []probe.Answer{
			{Target: 0, Outcome: probe.Unreachable, Offset: 10, First: probe.UnknownOffset, RTT: 2000, Type: 3, Code: 1, From: netip.MustParseAddr("198.19.254.1")},
			{Target: 1, Outcome: probe.Reply, Offset: 20, First: probe.UnknownOffset, RTT: 60_000},
		}}}}
	dead, lives := space.Addr(0), space.Addr(1)
	watch, v := observe(r), addressView{Address: dead}
	v.take(watch.of(0, 0))
	if s := v.Services[0]; s.Asked != 1 || s.Lives != 0 || s.Fastest != 0 || s.Slow != 0 {
		t.Errorf("%d of %d answered, between %d and %d us", s.Lives, s.Asked, s.Fastest, s.Slow)
	}
	if len(v.Recent) != 1 || v.Recent[0].RTT == nil {
		t.Errorf("the error's own time is lost: %+v", v.Recent)
	}
	v = addressView{Address: lives}
	v.take(watch.of(0, 1))
	if s := v.Services[0]; s.Lives != 1 || s.Fastest != 60_000 || s.Slow != 60_000 {
		t.Errorf("%d answered, between %d and %d us", s.Lives, s.Fastest, s.Slow)
	}
	for _, row := range hostsOf(r, map[netip.Addr]bool{dead: true, lives: true}) {
		if want := map[netip.Addr]uint32{lives: 60_000}[row.Address]; row.RTT != want {
			t.Errorf("the fastest of %v is %d us, want %d", row.Address, row.RTT, want)
		}
	}
}
