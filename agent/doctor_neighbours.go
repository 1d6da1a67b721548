package agent

import (
	"fmt"
	"net"
	"net/netip"

	"brownout/probe"
)

// neighbours compares the kernel's neighbour table with the targets that are on a link of ours.
func (d *doctor) neighbours() {
	limit, err := d.number("sys/net/ipv4/neigh/default/gc_thresh3")
	if err != nil {
		d.say("neighbours", verdictNone, "the kernel's table is not visible here", "")
		return
	}
	near := d.onLink()
	detail := fmt.Sprintf("the table holds %d, and %d targets are on a link of ours", limit, near)
	if near*2 > limit {
		d.say("neighbours", verdictWarn, detail, fmt.Sprintf("sudo sysctl -w net.ipv4.neigh.default.gc_thresh3=%d net.ipv4.neigh.default.gc_thresh2=%d", 4*near, 2*near))
		return
	}
	d.say("neighbours", verdictOK, detail, "")
}

// onLink counts the targets that lie in a network of one of our interfaces, loopback aside.
func (d *doctor) onLink() int {
	interfaces, err := net.Interfaces()
	if err != nil {
		return 0
	}
	n := 0
	for _, i := range interfaces {
		addrs, err := i.Addrs()
		if err != nil || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				n += countWithin(d.cfg.Targets, p.Masked())
			}
		}
	}
	return n
}

func countWithin(s probe.Space, p netip.Prefix) int {
	n := 0
	for _, q := range s.Prefixes() {
		switch {
		case !p.Overlaps(q):
		case p.Bits() <= q.Bits():
			n += 1 << (q.Addr().BitLen() - q.Bits())
		default:
			n += 1 << (p.Addr().BitLen() - p.Bits())
		}
	}
	return n
}
