package outage

import (
	"net/netip"
	"testing"

	"brownout/probe"
)

// An outage whose prefixes that it waits for were all dropped waits, after a restart and before it, for those that are dark still.
func TestDroppedPrefixesAcrossRestart(t *testing.T) {
	p := netip.MustParsePrefix("198.18.0.0/28")
	d := New(Config{})
	d.Prefixes = []netip.Prefix{netip.MustParsePrefix("198.18.0.0/24")}
	d.Areas = []area{{}, {Prefix: p, Sure: 1}}
	o := &record{Outage: Outage{Start: instant(probe.Instant(1)), Dark: []netip.Prefix{p}}, Watched: []netip.Prefix{}}
	d.Parts = []block{{Name: SpaceBlock, Open: o}}
	d.index()
	snapshot, err := d.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	next := New(Config{})
	if err := next.UnmarshalBinary(snapshot); err != nil {
		t.Fatal(err)
	}
	_, before := d.relit(d.Parts[0].Open)
	_, after := next.relit(next.Parts[0].Open)
	if before || before != after {
		t.Errorf("all is lit: %v before the restart, %v after it; want neither", before, after)
	}
}
