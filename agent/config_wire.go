package agent

import (
	"log/slog"
	"strings"

	"github.com/miekg/dns"

	"brownout/probe"
)

// sweeperConfig is what a sweeper is told; a nil clock is the real one, a nil log discards. Where the rates need no manners, by acknowledgement or in a lab, those that nobody
// set do not cap anything: the plan alone paces then.
func (c *Config) sweeperConfig(clock *probe.Clock, log *slog.Logger) probe.SweeperConfig {
	p := &c.Probe
	out := probe.SweeperConfig{
		Clock: clock, Timeout: p.Timeout, LateWindow: p.LateWindow, Retries: p.Retries, Rate: p.Rate, ExtraPer24: p.ExtraPer24,
		Contact: p.Contact, ICMP: p.ICMP, DNSName: dns.Fqdn(p.DNSName), DNSType: dns.StringToType[strings.ToUpper(p.DNSType)],
		Log: log,
	}
	if c.mayFlood() {
		if c.isDefault("probe.rate") {
			out.Rate = 0
		}
		if c.isDefault("probe.extra_per_24") {
			out.ExtraPer24 = 0
		}
	}
	return out
}

// mayFlood reports whether the space may be probed faster than manners allow.
func (c *Config) mayFlood() bool { return c.Probe.AcknowledgeFast || isLabSpace(c.Targets) }

func (c *Config) isDefault(key string) bool { return c.Origin(key) == fromDefault }

// aims are every protocol at every target.
func (c *Config) aims() []probe.Aim {
	out := make([]probe.Aim, len(c.Probe.Protocols))
	for i, p := range c.Probe.Protocols {
		out[i] = probe.Aim{Protocol: p, Targets: c.Targets}
	}
	return out
}
