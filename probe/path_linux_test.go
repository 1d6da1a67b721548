package probe

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// TestPath reads routes, and what becomes of interfaces, as the kernel tells of them.
func TestPath(t *testing.T) {
	enterNamespace(t)
	command(t, "ip link add near0 type veth peer name far0")
	for _, line := range []string{"ip link set near0 up", "ip link set far0 up", "ip addr add 198.19.0.1/24 dev near0",
		"ip route add 198.18.0.0/24 via 198.19.0.2", "ip route add unreachable 198.18.1.0/24"} {
		command(t, line)
	}
	p, err := openPath([]netip.Addr{netip.MustParseAddr("198.18.0.1")}, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	for _, test := range []struct {
		target, router string
		local, fails   bool
	}{
		{target: "198.18.0.1", router: "198.19.0.2"},
		{target: "198.19.0.7"},
		{target: "198.19.0.1", local: true},
		{target: "198.18.1.1", fails: true},
		{target: "2001:db8::1", fails: true},
	} {
		h, err := p.hop(netip.MustParseAddr(test.target))
		router, _ := netip.ParseAddr(test.router)
		if h.local != test.local || h.router != router || (err != nil) != test.fails {
			t.Errorf("%s: %+v, %v", test.target, h, err)
		}
	}
	for _, step := range []struct {
		line string
		down bool
	}{
		{"ip link set near0 mtu 1400", false},
		{"ip link set lo down", false}, // no way of ours leads there
		{"ip link set near0 down", true},
		{"ip link set near0 up", true}, // it was
		{"ip link set near0 mtu 1500", false},
		{"ip link del near0", true},
	} {
		command(t, step.line)
		if got, _ := p.look(); got != step.down {
			t.Errorf("after %q: down is %t", step.line, got)
		}
		if step.line == "ip link set near0 up" {
			eventually(t, "its carrier is back", func() bool { down, _ := p.look(); return !down })
		}
	}
}

// FuzzNetlink: no message of the kernel's, however mangled, crashes its readers.
func FuzzNetlink(f *testing.F) {
	link := unix.IfInfomsg{Index: 7, Flags: unix.IFF_UP | unix.IFF_RUNNING}
	f.Add(testNetlink(unix.RTM_NEWLINK, bytesOf(&link)))
	f.Add(testNetlink(unix.RTM_DELLINK, bytesOf(&link)))
	address := unix.IfAddrmsg{Family: unix.AF_INET, Index: 7}
	f.Add(testNetlink(unix.RTM_DELADDR, bytesOf(&address)))
	f.Add(testNetlink(unix.RTM_DELADDR, bytesOf(&address), addressAttr(unix.IFA_LOCAL, router4)))
	f.Add(testNetlink(unix.RTM_NEWQDISC, make([]byte, sizeofTcMsg), testAttr(3, make([]byte, 40))))
	route := unix.RtMsg{Family: unix.AF_INET, Dst_len: 32, Type: unix.RTN_UNICAST}
	oif := testAttr(unix.RTA_OIF, []byte{7, 0, 0, 0})
	f.Add(testNetlink(unix.RTM_NEWROUTE, bytesOf(&route), oif, addressAttr(unix.RTA_GATEWAY, router4)))
	f.Add(testNetlink(unix.RTM_NEWROUTE, bytesOf(&route), oif, testAttr(unix.RTA_VIA, append([]byte{10, 0}, target6.AsSlice()...))))
	f.Add(testNetlink(unix.RTM_NEWROUTE, bytesOf(&route), testAttr(unix.RTA_OIF, []byte{7})))
	f.Add(testNetlink(unix.NLMSG_ERROR, []byte{0x9b, 0xff, 0xff, 0xff})) // -ENETUNREACH
	f.Add(testNetlink(unix.NLMSG_ERROR, []byte{0, 0}))
	f.Add([]byte("Ip6OutDiscards                  \t12\nIp6OutNoRoutes x\nIp6"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for link, runs := range linkNews(b) {
			if len(b) < unix.SizeofNlMsghdr+unix.SizeofIfInfomsg {
				t.Errorf("% x tells of %d, %t", b, link, runs)
			}
		}
		if h, err := readRoute(b); err == nil && len(b) < unix.SizeofNlMsghdr+unix.SizeofRtMsg {
			t.Errorf("% x is the route %+v", b, h)
		}
		for link, address := range lostAddresses(b) {
			if n := len(b) - unix.SizeofNlMsghdr - unix.SizeofIfAddrmsg; n < 0 || address.IsValid() && n < unix.SizeofRtAttr+4 {
				t.Errorf("% x tells of an address of %d", b, link)
			}
		}
		if empty, _ := emptyQueues(b); empty && len(b) >= unix.SizeofNlMsghdr+sizeofTcMsg && len(b) < unix.SizeofNlMsghdr+sizeofTcMsg+32 && binary.NativeEndian.Uint16(b[4:]) == unix.RTM_NEWQDISC {
			t.Errorf("% x are empty queues", b)
		}
		counterOf(b, "Ip6OutDiscards")
	})
}

func testNetlink(kind uint16, parts ...[]byte) []byte {
	h := unix.NlMsghdr{Type: kind}
	b := bytesOf(&h)
	for _, part := range parts {
		b = append(b, part...)
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
	}
	h.Len = uint32(len(b))
	return append(bytesOf(&h), b[unix.SizeofNlMsghdr:]...)
}

func testAttr(kind uint16, value []byte) []byte {
	a := unix.RtAttr{Len: uint16(unix.SizeofRtAttr + len(value)), Type: kind}
	return append(bytesOf(&a), value...)
}
