package lab

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"brownout/probe"

	"github.com/miekg/dns"
	"github.com/pelletier/go-toml/v2"
)

func newReader(text []byte) io.Reader { return bytes.NewReader(text) }

func dotted(key toml.Key) string { return strings.Join(key, ".") }

const (
	defaultSpell   = 20 * time.Minute
	defaultRound   = 11 * time.Minute
	defaultTimeout = 100 * time.Millisecond
	defaultBits    = 24
)

// scenario converts the file, defaults filled in.
func (f *file) scenario() (*Scenario, error) {
	s := &Scenario{
		Name: f.Name, Description: strings.TrimSpace(f.Description), Seed: f.Seed, References: f.References,
		Start: probe.InstantOf(f.Start), End: probe.InstantOf(f.End), Noise: f.Noise.noise(),
	}
	var err error
	if s.Space, err = probe.ParseSpace(f.Space, nil); err != nil {
		return nil, fmt.Errorf("space: %w", err)
	}
	if s.Demo, err = f.Demo.demo(); err != nil {
		return nil, err
	}
	for i := range f.Timeline {
		p, err := f.Timeline[i].phase()
		if err != nil {
			return nil, fmt.Errorf("timeline[%d]: %w", i, err)
		}
		s.Timeline = append(s.Timeline, p)
	}
	slices.SortStableFunc(s.Timeline, func(a, b Phase) int { return cmp.Compare(a.From, b.From) })
	s.Hosts, err = f.settle(s.Space)
	return s, err
}

func (n *fileNoise) noise() Noise {
	return Noise{Loss: n.Loss, Duplicates: n.Duplicates, Late: n.Late, LateBy: time.Duration(n.LateBy),
		Corrupted: n.Corrupted, Forged: n.Forged, Unreachable: n.Unreachable, Router: n.Router}
}

func (d *fileDemo) demo() (Demo, error) {
	out := Demo{
		Round:        cmp.Or(time.Duration(d.Round), defaultRound),
		CoreInterval: time.Duration(d.CoreInterval),
		Timeout:      cmp.Or(time.Duration(d.Timeout), defaultTimeout),
		BlockBits:    cmp.Or(d.BlockBits, defaultBits),
	}
	for i, name := range d.Protocols {
		p, err := probe.ParseProtocol(name)
		if err != nil {
			return out, fmt.Errorf("demo.protocols[%d]: %w", i, err)
		}
		out.Protocols = append(out.Protocols, p)
	}
	if out.Protocols == nil {
		out.Protocols = []probe.Protocol{probe.ICMP}
	}
	return out, nil
}

func (p *filePhase) phase() (Phase, error) {
	out := Phase{From: probe.InstantOf(p.From), To: probe.InstantOf(p.To), State: p.State, Dark: p.Dark, Loss: p.Loss,
		Within: p.Within, Optional: p.Optional}
	switch p.Protocol {
	case "":
	case "tcp":
		out.AllTCP = true
	default:
		var err error
		if out.Protocol, err = probe.ParseProtocol(p.Protocol); err != nil {
			return out, err
		}
	}
	return out, nil
}

// settle gives every host its address: first those that name theirs, then the populations.
func (f *file) settle(space probe.Space) ([]Host, error) {
	var hosts []Host
	taken := map[netip.Addr]bool{}
	for i := range f.Hosts {
		h := &f.Hosts[i]
		if !h.Address.IsValid() {
			continue
		}
		if h.Prefix.IsValid() || h.Count != 0 || h.AvailabilityMax != nil || h.RTTMax != nil {
			return nil, fmt.Errorf("hosts[%d]: prefix, count, availability_max and rtt_max are for populations, and address names one host", i)
		}
		if taken[h.Address] {
			return nil, fmt.Errorf("hosts[%d]: %s is there twice", i, h.Address)
		}
		taken[h.Address] = true
		host, err := h.host(h.Address, 0)
		if err != nil {
			return nil, fmt.Errorf("hosts[%d]: %w", i, err)
		}
		hosts = append(hosts, host)
	}
	for i := range f.Hosts {
		if f.Hosts[i].Address.IsValid() {
			continue
		}
		some, err := f.Hosts[i].population(dice(f.Seed).with(uint64(i)), space, taken)
		if err != nil {
			return nil, fmt.Errorf("hosts[%d]: %w", i, err)
		}
		hosts = append(hosts, some...)
	}
	slices.SortFunc(hosts, func(a, b Host) int { return a.Address.Compare(b.Address) })
	return hosts, nil
}

// population chooses count free addresses of a prefix.
func (h *fileHosts) population(d dice, space probe.Space, taken map[netip.Addr]bool) ([]Host, error) {
	if !h.Prefix.IsValid() || h.Count <= 0 {
		return nil, fmt.Errorf("neither an address, nor a prefix and a count")
	}
	if !space.Covers(h.Prefix.Masked()) {
		return nil, fmt.Errorf("prefix %s is not in the space", h.Prefix)
	}
	first, _ := space.Index(h.Prefix.Masked().Addr())
	size := 1 << (h.Prefix.Addr().BitLen() - h.Prefix.Bits())
	var free []netip.Addr
	for k := range size {
		if a := space.Addr(first + k); !taken[a] {
			free = append(free, a)
		}
	}
	if h.Count > len(free) {
		return nil, fmt.Errorf("prefix %s has %d free addresses, not %d", h.Prefix, len(free), h.Count)
	}
	slices.SortStableFunc(free, func(a, b netip.Addr) int {
		return cmp.Compare(d.with(low(a)).roll(forAddress), d.with(low(b)).roll(forAddress))
	})
	var hosts []Host
	for k, a := range free[:h.Count] {
		host, err := h.host(a, (float64(k)+0.5)/float64(h.Count))
		if err != nil {
			return nil, err
		}
		taken[a] = true
		hosts = append(hosts, host)
	}
	return hosts, nil
}

// host is the host at an address; share is its place, 0 to 1, in the ranges of its population.
func (h *fileHosts) host(a netip.Addr, share float64) (Host, error) {
	out := Host{Address: a, Availability: 1, Spell: cmp.Or(time.Duration(h.Spell), defaultSpell), RTT: time.Duration(h.RTT),
		Jitter: time.Duration(h.Jitter), ICMP: h.ICMP, Open: h.Open, Refuse: h.Refuse}
	if h.Availability != nil {
		out.Availability = *h.Availability
	}
	if h.AvailabilityMax != nil {
		out.Availability += float64((*h.AvailabilityMax - out.Availability) * share)
	}
	if h.RTTMax != nil {
		out.RTT += time.Duration(float64(time.Duration(*h.RTTMax)-out.RTT) * share)
	}
	var err error
	out.DNS, err = parseDNS(h.DNS)
	return out, err
}

// parseDNS reads "", "closed", or the name of a response code that fits a DNS header.
func parseDNS(s string) (DNSAnswer, error) {
	switch s {
	case "":
		return DNSSilent, nil
	case "closed":
		return DNSClosed, nil
	}
	if code, ok := dns.StringToRcode[strings.ToUpper(s)]; ok && code < 16 {
		return DNSAnswer(code), nil
	}
	return 0, fmt.Errorf("dns %q is neither closed nor a response code, like NOERROR, SERVFAIL or REFUSED", s)
}
