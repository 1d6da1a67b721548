package agent

import (
	"net/netip"
	"testing"

	"brownout/probe"
)

// TestBriefly: a space of a list of addresses is a line of the log that can be read.
func TestBriefly(t *testing.T) {
	var odd []netip.Addr
	for last := byte(1); last < 2*16+1; last += 2 {
		odd = append(odd, netip.AddrFrom4([4]byte{198, 18, 0, last}))
	}
	for more, want := range map[int]string{0: "", 2: " and 2 more"} {
		all := odd
		for i := range more {
			all = append(all, netip.AddrFrom4([4]byte{198, 18, 1, byte(2 * i)}))
		}
		space, err := probe.SpaceOfAddrs(all...)
		if err != nil {
			t.Fatal(err)
		}
		first, err := probe.SpaceOfAddrs(odd...)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := briefly(space), first.String()+want; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
