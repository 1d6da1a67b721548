package agent

import "fmt"

// How long the kernel tracks an unanswered flow, in seconds: Documentation/networking/nf_conntrack-sysctl.rst.
const (
	trackedICMP = 30
	trackedTCP  = 120 // SYN_SENT
	trackedUDP  = 30
)

func (d *doctor) conntrack() {
	limit, err := d.number("sys/net/netfilter/nf_conntrack_max")
	if err != nil || limit == 0 {
		d.say("conntrack", verdictNone, "connections are not tracked, or not visibly", "")
		return
	}
	used, _ := d.number("sys/net/netfilter/nf_conntrack_count") // 0 where it is not visible
	need := d.trackedFlows()
	detail := fmt.Sprintf("the table holds %d, %d are in use, and probing adds about %d", limit, used, need)
	if used+need > limit*8/10 {
		d.say("conntrack", verdictWarn, detail, fmt.Sprintf("probes would be lost on the way out: sudo sysctl -w net.netfilter.nf_conntrack_max=%d, or exempt them by a notrack rule", 2*(used+need)))
		return
	}
	d.say("conntrack", verdictOK, detail, "")
}

// trackedFlows is about how many flows of ours are tracked at a time: an unpaced sweep's all at once.
func (d *doctor) trackedFlows() int {
	if d.unpaced {
		return d.services(anyProtocol)
	}
	seconds := 0
	for _, q := range d.cfg.Probe.Protocols {
		switch {
		case q.IsICMP():
			seconds += trackedICMP
		case q.IsTCP():
			seconds += trackedTCP
		default:
			seconds += trackedUDP
		}
	}
	round := max(d.cfg.Probe.Round.Seconds(), 1)
	return int(float64(d.cfg.Targets.Len()) * min(float64(seconds)/round, float64(len(d.cfg.Probe.Protocols))))
}
