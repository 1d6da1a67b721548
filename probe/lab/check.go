package lab

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"

	"brownout/probe"
)

// check says what is wrong with a scenario, naming the key.
func (s *Scenario) check() error {
	if s.End <= s.Start {
		return fmt.Errorf("end: %s is not after the start, %s", s.End, s.Start)
	}
	if s.Space.Len() == 0 {
		return errors.New("space: it is empty")
	}
	for _, p := range s.Space.Prefixes() {
		if !Range.Contains(p.Addr()) || p.Bits() < Range.Bits() {
			return fmt.Errorf("space: %s is not within %s", p, Range)
		}
	}
	if b := s.Demo.BlockBits; b < 1 || b > 32 {
		return fmt.Errorf("demo.block_bits: %d is not within 1 to 32", b)
	}
	return errors.Join(s.Noise.check(), s.checkHosts(), s.checkReferences(), s.checkTimeline())
}

func (n *Noise) check() error {
	for _, x := range []struct {
		key   string
		share float64
	}{
		{"loss", n.Loss}, {"duplicates", n.Duplicates}, {"late", n.Late}, {"corrupted", n.Corrupted},
		{"forged", n.Forged}, {"unreachable", n.Unreachable},
	} {
		if !isShare(x.share) {
			return fmt.Errorf("noise.%s: %v is not within 0 to 1", x.key, x.share)
		}
	}
	if n.Late > 0 && n.LateBy == 0 {
		return errors.New("noise.late_by: how late is missing")
	}
	if n.Unreachable > 0 && !n.Router.IsValid() {
		return errors.New("noise.router: the address that reports the unreachable is missing")
	}
	if n.Router.IsValid() && !n.Router.Is4() {
		return fmt.Errorf("noise.router: %s is not IPv4", n.Router)
	}
	return nil
}

func isShare(x float64) bool { return !math.IsNaN(x) && x >= 0 && x <= 1 }

func (s *Scenario) checkHosts() error {
	for i := range s.Hosts {
		h := &s.Hosts[i]
		if _, ok := s.Space.Index(h.Address); !ok {
			return fmt.Errorf("hosts: %s is not in the space", h.Address)
		}
		if i > 0 && s.Hosts[i-1].Address == h.Address {
			return fmt.Errorf("hosts: %s is there twice", h.Address)
		}
		if !isShare(h.Availability) {
			return fmt.Errorf("hosts: %s has an availability of %v, which is not within 0 to 1", h.Address, h.Availability)
		}
		if h.Spell.Milliseconds() < 1 {
			return fmt.Errorf("hosts: %s has a spell of %s, shorter than a millisecond", h.Address, h.Spell)
		}
		for _, port := range h.Open {
			if slices.Contains(h.Refuse, port) {
				return fmt.Errorf("hosts: %s both accepts and refuses tcp/%d", h.Address, port)
			}
		}
		if slices.Contains(h.Open, 0) || slices.Contains(h.Refuse, 0) {
			return fmt.Errorf("hosts: %s has a TCP port 0", h.Address)
		}
	}
	return nil
}

func (s *Scenario) checkReferences() error {
	for i, a := range s.References {
		if !Range.Contains(a) {
			return fmt.Errorf("references[%d]: %s is not within %s", i, a, Range)
		}
		if _, ok := s.Space.Index(a); ok || a == Source || a == Gateway {
			return fmt.Errorf("references[%d]: %s is taken by the space, our own side or the gateway", i, a)
		}
	}
	for _, a := range []netip.Addr{Source, Gateway} {
		if _, ok := s.Space.Index(a); ok {
			return fmt.Errorf("space: it holds %s, which the lab keeps for itself", a)
		}
	}
	return nil
}

func (s *Scenario) checkTimeline() error {
	var last *Phase // the last outage
	for i := range s.Timeline {
		p := &s.Timeline[i]
		if err := p.check(s); err != nil {
			return fmt.Errorf("timeline, phase from %s: %w", p.From, err)
		}
		if !p.outage() {
			continue
		}
		if last != nil && p.From < last.To {
			return fmt.Errorf("timeline, phase from %s: it overlaps the one from %s", p.From, last.From)
		}
		last = p
	}
	return nil
}

// outage reports whether the phase is something to be found.
func (p *Phase) outage() bool { return p.State == Partial || p.State == Total }

func (p *Phase) check(s *Scenario) error {
	if p.To <= p.From || p.From < s.Start || p.To > s.End {
		return fmt.Errorf("from and to must be in order and within the scenario")
	}
	named := p.AllTCP || p.Protocol != probe.Protocol{}
	switch p.State {
	case Up, Total, UplinkDown, Filtered:
		if len(p.Dark) > 0 || p.Loss != 0 || len(p.Within) > 0 {
			return fmt.Errorf("dark, loss and within are of the state partial, not %s", p.State)
		}
	case Partial:
		if len(p.Dark) == 0 && p.Loss == 0 {
			return errors.New("a partial needs dark prefixes or a loss")
		}
	default:
		return fmt.Errorf("state %q is none of up, partial, total, filtered, uplink-down", p.State)
	}
	if named != (p.State == Filtered) {
		return errors.New("a protocol belongs to the state filtered, and to that one only")
	}
	if !isShare(p.Loss) {
		return fmt.Errorf("loss %v is not within 0 to 1", p.Loss)
	}
	for _, d := range append(slices.Clone(p.Dark), p.Within...) {
		if !s.Space.Covers(d.Masked()) {
			return fmt.Errorf("prefix %s is not in the space", d)
		}
	}
	return nil
}
