package agent

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"brownout/probe"
)

// own looks for targets that are this machine itself: they answer whatever becomes of the network, so that the space is never dark.
func (d *doctor) own() {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		d.say("own addresses", verdictNone, "they are not visible here", "")
		return
	}
	own := ownTargets(d.cfg.Targets, addrs)
	if len(own) == 0 {
		d.say("own addresses", verdictOK, "none is a target", "")
		return
	}
	names := strings.Join(own, ", ")
	d.say("own addresses", verdictWarn, fmt.Sprintf("targets that are this machine itself, and answer whatever becomes of the network: %s", names),
		"no total outage of their block would be declared: add them to space.exclude")
}

// ownTargets are those of a machine's addresses that a space holds; loopback's are meant to be its own.
func ownTargets(space probe.Space, addrs []net.Addr) (own []string) {
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err != nil || p.Addr().IsLoopback() {
			continue
		}
		if _, ok := space.Index(p.Addr()); ok {
			own = append(own, p.Addr().String())
		}
	}
	return own
}
