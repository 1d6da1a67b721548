package agent

import (
	"fmt"
	"math"
	"net/netip"
	"time"

	"brownout/probe"
)

// The rates that nobody needs to acknowledge. 256 echo requests per 660 s and /24 is the rate of ISI's Internet surveys
// (Heidemann et al., IMC 2008); rate limiting begins to bite near 1 a second and /24 (Guo & Heidemann, PAM 2018).
const (
	mannersRate       = 200
	mannersPer24      = 0.39
	mannersExtraPer24 = 0.4
	mannersOthers     = 2.0 // TCP and DNS together, per second and /24
)

// manners demands acknowledge_fast for rates above them, or a round too short for its space. Lab addresses are exempt.
func (k *checker) manners() {
	p := &k.c.Probe
	if p.AcknowledgeFast || isLabSpace(k.c.Targets) {
		return
	}
	const must = "needs probe.acknowledge_fast = true"
	if p.Rate > mannersRate {
		k.bad("probe.rate", p.Rate, fmt.Sprintf("more than %d packets a second %s", mannersRate, must))
	}
	if p.RatePer24 > mannersPer24 {
		k.bad("probe.rate_per_24", p.RatePer24, fmt.Sprintf("more than %v a second and /24 %s", mannersPer24, must))
	}
	if p.ExtraPer24 > mannersExtraPer24 {
		k.bad("probe.extra_per_24", p.ExtraPer24, fmt.Sprintf("more than %v a second and /24 %s", mannersExtraPer24, must))
	}
	if least, why := shortestRound(k.c.Targets, p); p.Round < least {
		k.bad("probe.round", p.Round, fmt.Sprintf("%s: from %q up, or it %s", why, shortDuration(least), must))
	}
}

// shortestRound is the shortest round that keeps to the rates, in whole seconds, and the rate that bounds it.
func shortestRound(space probe.Space, p *ProbeConfig) (least time.Duration, why string) {
	bound := func(probes int, perSecond float64, what string) {
		d := time.Duration(math.Ceil(float64(probes)/perSecond)) * time.Second
		if probes > 0 && d > least {
			least, why = d, fmt.Sprintf("%d probes of %s at %v a second", probes, what, perSecond)
		}
	}
	icmp, others := countProtocols(p.Protocols)
	public := 0
	for _, g := range space.Groups(24) {
		if a := space.Addr(g.From); isLab(netip.PrefixFrom(a, a.BitLen())) {
			continue
		}
		n := g.To - g.From
		public += n
		bound(n*icmp, p.RatePer24, g.Prefix.String()+" by ICMP")
		bound(n*others, mannersOthers, g.Prefix.String()+" by TCP and DNS")
	}
	bound(public*len(p.Protocols), float64(p.Rate), "the space")
	return least, why
}

func countProtocols(list []probe.Protocol) (icmp, others int) {
	for _, p := range list {
		if p.IsICMP() {
			icmp++
		} else {
			others++
		}
	}
	return icmp, others
}
