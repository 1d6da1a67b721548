package agent

import (
	"fmt"
	"math"
	"net/netip"
	"time"

	"brownout/probe"
)

// The limits of sockets and kernel, against what a round of the configured space, or an unpaced sweep of it, asks for.

// services is how many probes of a kind a sweep has.
func (d *doctor) services(kind func(probe.Protocol) bool) int {
	n := 0
	for _, p := range d.cfg.Probe.Protocols {
		if kind(p) {
			n += d.cfg.Targets.Len()
		}
	}
	return n
}

// perSecond is how many of so many services are probed in a second of a round.
func (d *doctor) perSecond(services int) float64 {
	return float64(services) / max(d.cfg.Probe.Round.Seconds(), 1)
}

func anyProtocol(probe.Protocol) bool { return true }

// roundShare is how much of probe.rate a round may take: as many retries as a quarter of the space is silent need the rest.
const roundShare = 0.8

// pace compares probe.rate with the round.
func (d *doctor) pace() {
	n := d.services(anyProtocol)
	rate := d.cfg.sweeperConfig(nil, nil).Rate
	switch {
	case n == 0:
		d.say("pace", verdictNone, "no targets", "")
	case rate == 0 && d.unpaced:
		d.say("pace", verdictOK, fmt.Sprintf("%d probes, as fast as nothing is lost", n), "")
	case rate == 0:
		d.say("pace", verdictOK, fmt.Sprintf("%d probes a round: %.1f a second", n, d.perSecond(n)), "")
	case d.unpaced:
		d.say("pace", verdictOK, fmt.Sprintf("%d probes, at the %d a second of probe.rate: %s", n, rate, roughly(float64(n)/float64(rate))), "")
	case d.perSecond(n) > float64(rate):
		d.say("pace", verdictWarn, fmt.Sprintf("%d probes a round are %.1f a second, and probe.rate is %d", n, d.perSecond(n), rate),
			fmt.Sprintf("what cannot be sent in time goes unsent: set probe.round to %s or more, or raise probe.rate", roughly(float64(n)/float64(rate))))
	case d.perSecond(n) > roundShare*float64(rate):
		d.say("pace", verdictWarn, fmt.Sprintf("%d probes a round are %.1f a second of the %d that probe.rate permits", n, d.perSecond(n), rate),
			fmt.Sprintf("an outage would be told late, for retries and confirmations wait for what is left: set probe.round to %s or more, or raise probe.rate",
				roughly(float64(n)/(roundShare*float64(rate)))))
	default:
		d.say("pace", verdictOK, fmt.Sprintf("%d probes a round: %.1f a second of the %d that probe.rate permits", n, d.perSecond(n), rate), "")
	}
}

// roughly is a number of seconds, rounded up.
func roughly(seconds float64) string {
	return shortDuration(time.Duration(math.Ceil(seconds)) * time.Second)
}

// longStall is how long our program may be kept from reading, by a busy machine, without a reply being lost.
const longStall = 0.5 // seconds

// receiveBuffer compares the receive buffer with the replies that may wait in it.
func (d *doctor) receiveBuffer() {
	n := d.services(probe.Protocol.IsICMP)
	if n == 0 {
		return // icmp has said so
	}
	b, err := probe.ICMPReceiveBuffer()
	if err != nil {
		d.say("receive buffer", verdictNone, "no ICMP socket can be opened", "")
		return
	}
	need, why := int(math.Ceil(d.perSecond(n)*longStall)), fmt.Sprintf("%.1f s of this pace bring", longStall)
	if d.unpaced {
		need, why = min(n, probe.MostInFlight), "an unpaced sweep may have under way"
	}
	detail := fmt.Sprintf("it holds %d unread replies, and %s %d", b.Replies, why, need)
	switch {
	case b.Replies >= need:
		d.say("receive buffer", verdictOK, detail, "")
	case need > b.Most:
		d.say("receive buffer", verdictWarn, detail, fmt.Sprintf("when this machine is busy, replies are lost: set probe.round to %s or more", roughly(float64(n)*longStall/float64(b.Most))))
	default:
		what := "when this machine is busy, replies are lost"
		if d.unpaced {
			what = "the sweep slows down to what the buffer holds"
		}
		d.say("receive buffer", verdictWarn, detail, fmt.Sprintf("%s: sudo sysctl -w net.core.rmem_max=%d, or let brownout force it: sudo setcap cap_net_raw,cap_net_admin+ep, or --cap-add NET_ADMIN (docker)", what, need*bufferPerReply))
	}
}

// bufferPerReply is what net.core.rmem_max must permit for a reply: half of what the kernel charges, for it doubles what is
// asked for, rounded up.
const bufferPerReply = 512

// spareDescriptors is what the store, listeners, logs and references need beside TCP attempts.
const spareDescriptors = 64

// descriptors compares the limit of open files with the TCP attempts under way, each of which holds one for as long as it
// is waited for.
func (d *doctor) descriptors() {
	limit, err := descriptorLimit()
	if err != nil {
		d.say("descriptors", verdictNone, err.Error(), "")
		return
	}
	tcp, timeout := d.services(probe.Protocol.IsTCP), d.cfg.Probe.Timeout.Seconds()
	attempts, window, most := int(d.perSecond(tcp)*timeout), probe.TCPWindow(limit), probe.TCPWindow(math.MaxUint64)
	if d.unpaced {
		attempts = min(tcp, most)
	}
	need := uint64(attempts)*8/7 + spareDescriptors // TCPWindow leaves an eighth to others
	detail := fmt.Sprintf("%d open files are allowed, about %d needed", limit, need)
	if tcp > 0 {
		least := math.Ceil(float64(tcp)/float64(window)) * timeout
		detail += fmt.Sprintf("; %d TCP attempts go at once, so that %d take %s where all are silent", window, tcp, roughly(least))
	}
	switch {
	case attempts > most:
		d.say("descriptors", verdictWarn, detail, fmt.Sprintf("TCP probes will go unsent: set probe.round to %s or more, or a shorter probe.timeout", roughly(float64(tcp)*timeout/float64(most))))
	case limit < need || attempts > window:
		d.say("descriptors", verdictWarn, detail, fmt.Sprintf("TCP probes will wait for one another: raise it by `ulimit -n %d`, LimitNOFILE=%d (systemd) or --ulimit nofile=%d (docker)", 2*need, 2*need, 2*need))
	default:
		d.say("descriptors", verdictOK, detail, "")
	}
}

// ports looks at the ephemeral ports. A port serves one attempt at each service at a time, so that a few would do.
func (d *doctor) ports() {
	if d.services(probe.Protocol.IsTCP) == 0 {
		return
	}
	low, high, err := d.twoNumbers("sys/net/ipv4/ip_local_port_range")
	if err != nil {
		d.say("ports", verdictNone, "the range of ephemeral ports is not visible here", "")
		return
	}
	n := high - low + 1
	need := 2 * (2 + d.cfg.Probe.Retries) // a probe and its retries, of a round and of a confirmation
	detail := fmt.Sprintf("%d ephemeral ports, each good for every target at once", n)
	if n < need {
		d.say("ports", verdictWarn, detail, "TCP probes will go unsent for want of a port: sudo sysctl -w net.ipv4.ip_local_port_range=\"32768 60999\"")
		return
	}
	d.say("ports", verdictOK, detail, "")
}

// leastQueue is a batch of probes: what is handed to the kernel at once.
const leastQueue = 64

// queue looks at the transmit queues of the devices that lead to the first target of each address family.
func (d *doctor) queue() {
	parts := d.cfg.Targets.Prefixes() // those of IPv4 come first
	for i, p := range parts {
		if i == 0 || p.Addr().Is4() != parts[i-1].Addr().Is4() {
			d.queueTo(p.Addr())
		}
	}
}

func (d *doctor) queueTo(target netip.Addr) {
	device, length, err := routeQueue(target)
	switch {
	case err != nil:
		d.say("route", verdictWarn, fmt.Sprintf("%s: %v", target, err), "without a route nothing is sent: `ip route get "+target.String()+"` tells more")
	case length == 0:
		d.say("route", verdictOK, fmt.Sprintf("%s by %s, which has no queue", target, device), "")
	case length < leastQueue:
		d.say("route", verdictWarn, fmt.Sprintf("%s by %s, whose queue holds %d packets", target, device, length),
			fmt.Sprintf("probes are sent by the %d, and wait where the queue is full: sudo ip link set dev %s txqueuelen 1000", leastQueue, device))
	default:
		d.say("route", verdictOK, fmt.Sprintf("%s by %s, whose queue holds %d packets", target, device, length), "")
	}
}
