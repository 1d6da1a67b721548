package lab

import (
	"net/netip"
	"slices"

	"brownout/probe"
)

// SpaceBlock is the name of the block that is the whole space; the others are named by their prefix.
const SpaceBlock = "space"

// Truth is an outage that a scenario holds, to be compared with a verdict.
type Truth struct {
	Block    string         `json:"block"`
	Kind     State          `json:"kind"` // Partial or Total
	Start    probe.Instant  `json:"start"`
	End      probe.Instant  `json:"end"`
	Dark     []netip.Prefix `json:"dark"`     // none: loss only
	Optional bool           `json:"optional"` // either verdict is right
}

// Truth is what happened to the space and to each of its blocks that has a host, by start; the space comes before its
// blocks. Failures of our own side and filters are no outages.
func (s *Scenario) Truth() []Truth {
	blocks := s.Space.Groups(s.Demo.BlockBits)
	var truth []Truth
	for i := range s.Timeline {
		p := &s.Timeline[i]
		if !p.outage() {
			continue
		}
		if t, ok := s.truthOf(p, SpaceBlock, s.Space.Prefixes()); ok {
			truth = append(truth, t)
		}
		if len(blocks) == 1 {
			continue
		}
		for _, b := range blocks {
			if t, ok := s.truthOf(p, b.Prefix.String(), []netip.Prefix{b.Prefix}); ok {
				truth = append(truth, t)
			}
		}
	}
	return truth
}

// truthOf is what a phase is for a block, if anything.
func (s *Scenario) truthOf(p *Phase, block string, prefixes []netip.Prefix) (Truth, bool) {
	t := Truth{Block: block, Kind: Partial, Start: p.From, End: p.To, Optional: p.Optional, Dark: []netip.Prefix{}}
	hosts, dark, struck := 0, 0, 0
	for i := range s.Hosts {
		a := s.Hosts[i].Address
		if !within(prefixes, a) {
			continue
		}
		hosts++
		switch {
		case p.State == Total || within(p.Dark, a):
			dark++
		case p.Loss > 0 && (len(p.Within) == 0 || within(p.Within, a)):
			struck++
		}
	}
	if dark == 0 && struck == 0 {
		return t, false
	}
	if dark == hosts {
		t.Kind = Total
	}
	t.Dark = p.darkIn(prefixes)
	return t, true
}

// darkIn is the dark part of a block.
func (p *Phase) darkIn(block []netip.Prefix) []netip.Prefix {
	if p.State == Total {
		return slices.Clone(block)
	}
	dark := []netip.Prefix{}
	for _, d := range p.Dark {
		for _, b := range block {
			if !d.Overlaps(b) {
				continue
			}
			if d.Bits() < b.Bits() {
				dark = append(dark, b)
			} else {
				dark = append(dark, d.Masked())
			}
		}
	}
	return dark
}
