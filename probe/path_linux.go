package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// path is the near end of the way to the targets: the routes of this host and the interfaces that they lead through, as
// rtnetlink(7) tells of them. A nil path knows nothing.
type path struct {
	samples []netip.Addr
	age     time.Duration // how long what cutOff found stands: of a million silent addresses not each is asked for
	news    int           // socket on which the kernel tells of interfaces, and of their addresses
	buf     []byte
	links   map[int32]bool       // that the routes to the samples lead through; whether each runs
	ways    map[netip.Addr]int32 // by sample: the interface that its route leads through
	sources map[netip.Addr]bool  // of ours, from which the samples were ever asked; of the zero one it is not known
	nexts   map[netip.Addr]hop   // the routers of the samples
	walked  time.Time            // when ways was found out
	one     atomic.Int32         // the interface of all routes; 0: there are several

	mu   sync.Mutex // guards what follows
	ask  int        // socket to ask the kernel on; -1: closed
	answ []byte

	cuts    map[netip.Prefix]cut // guarded, as is routers, by the sweep's lock
	routers map[hop]cut
}

// cut is what was found out of a /24 (IPv6: /48), a router or an interface, and when.
type cut struct {
	at  time.Time
	off bool
}

// hop is where a route leads.
type hop struct {
	link   int32
	local  bool       // to this very host
	router netip.Addr // the next one; not valid: the address is on the link
	source netip.Addr // of ours; not valid: unknown
}

// unanswerable reports whether no answer can find its way back to our address: IPv6 sends from the loopback's where the interface
// has none that may be used, as while it is tentative or a duplicate, and from that of the link where it has no other, which no
// router forwards (RFC 4291, 2.5.6).
func (h *hop) unanswerable() bool {
	return h.source.Is6() && !h.local && (h.source.IsLoopback() || h.source.IsLinkLocalUnicast() && h.router.IsValid())
}

// sizeofTcMsg is that of struct tcmsg: linux/rtnetlink.h.
const sizeofTcMsg = 20

// netlinkBuffer holds what the kernel says of one interface, statistics included.
const netlinkBuffer = 32 << 10

// openPath watches the way to the samples.
func openPath(samples []netip.Addr, age time.Duration) (*path, error) {
	news, err := netlinkSocket(unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR)
	if err != nil {
		return nil, err
	}
	ask, err := netlinkSocket(0)
	if err != nil {
		_ = unix.Close(news)
		return nil, err
	}
	p := &path{samples: samples, age: age, news: news, buf: make([]byte, netlinkBuffer), ask: ask, answ: make([]byte, netlinkBuffer),
		ways: map[netip.Addr]int32{}, sources: map[netip.Addr]bool{}, cuts: map[netip.Prefix]cut{}, routers: map[hop]cut{}}
	p.follow()
	return p, nil
}

func netlinkSocket(groups uint32) (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return -1, fmt.Errorf("open netlink socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("bind netlink socket: %w", err)
	}
	return fd, nil
}

func (p *path) close() {
	if p == nil {
		return
	}
	_ = unix.Close(p.news)
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = unix.Close(p.ask)
	p.ask = -1
}

// look reports whether an interface on the way is down, or was since the last look; and whether answers may since have come to
// where they are not taken any more: to an address that is gone, or by an interface that is no way of ours now (a strict
// rp_filter drops those). Only one goroutine may look.
func (p *path) look() (down, moved bool) {
	if p == nil {
		return false, false
	}
	changed := false
	for {
		n, _, err := unix.Recvfrom(p.news, p.buf, unix.MSG_DONTWAIT)
		if err == unix.EINTR {
			continue
		}
		if err == unix.ENOBUFS {
			changed, down = true, true // who knows what was missed
			continue
		}
		if err != nil {
			break
		}
		changed = true
		for link, runs := range linkNews(p.buf[:n]) {
			if ran, ours := p.links[link]; ours {
				p.links[link] = runs
				down = down || ran != runs
			}
		}
		for link, address := range lostAddresses(p.buf[:n]) {
			_, ours := p.links[link]
			moved = moved || ours && (p.sources[address] || p.sources[netip.Addr{}] || !address.IsValid())
		}
	}
	if changed || time.Since(p.walked) >= p.age {
		moved = p.follow() || moved
	}
	for _, runs := range p.links {
		down = down || !runs
	}
	return down, moved
}

// follow finds out which interfaces the routes lead through now, and reports whether that of a sample leads elsewhere than it
// did. Where there is no route at all, the old ones stay.
func (p *path) follow() (moved bool) {
	p.walked = time.Now()
	links, nexts := map[int32]bool{}, map[netip.Addr]hop{}
	for _, a := range p.samples {
		if h, err := p.hop(a); err == nil && !h.local {
			links[h.link] = false
			was, known := p.ways[a]
			moved = moved || known && was != h.link
			p.ways[a] = h.link
			p.sources[h.source] = true
			if h.router.IsValid() {
				nexts[h.router] = h
			}
		}
	}
	if len(links) == 0 {
		return moved
	}
	for link := range links {
		links[link] = p.runs(link)
	}
	p.links, p.nexts = links, nexts
	p.one.Store(0)
	if len(links) == 1 {
		for link := range links {
			p.one.Store(link)
		}
	}
	return moved
}

// linkNews yields the interfaces of RTM_NEWLINK and RTM_DELLINK messages, and whether each runs. It stops at what it
// cannot read.
func linkNews(b []byte) func(yield func(link int32, runs bool) bool) {
	return func(yield func(int32, bool) bool) {
		messages, err := syscall.ParseNetlinkMessage(b)
		if err != nil {
			return
		}
		for _, m := range messages {
			kind := m.Header.Type
			if kind != unix.RTM_NEWLINK && kind != unix.RTM_DELLINK || len(m.Data) < unix.SizeofIfInfomsg {
				continue
			}
			info := (*unix.IfInfomsg)(unsafe.Pointer(&m.Data[0]))
			const running = unix.IFF_UP | unix.IFF_RUNNING
			if !yield(info.Index, kind == unix.RTM_NEWLINK && info.Flags&running == running) {
				return
			}
		}
	}
}

// lostAddresses yields the interfaces and addresses of RTM_DELADDR messages; the address may not be valid. It stops at what it
// cannot read.
func lostAddresses(b []byte) func(yield func(link int32, address netip.Addr) bool) {
	return func(yield func(int32, netip.Addr) bool) {
		messages, err := syscall.ParseNetlinkMessage(b)
		if err != nil {
			return
		}
		for _, m := range messages {
			if m.Header.Type != unix.RTM_DELADDR || len(m.Data) < unix.SizeofIfAddrmsg {
				continue
			}
			attrs := m.Data[unix.SizeofIfAddrmsg:]
			address, ok := netip.AddrFromSlice(attributeOf(attrs, unix.IFA_LOCAL)) // our end, where there are two
			if !ok {
				address, _ = netip.AddrFromSlice(attributeOf(attrs, unix.IFA_ADDRESS))
			}
			if !yield(int32((*unix.IfAddrmsg)(unsafe.Pointer(&m.Data[0])).Index), address) {
				return
			}
		}
	}
}

// attributeOf is the value of the first attribute of a kind; nil: there is none.
func attributeOf(attrs []byte, kind uint16) []byte {
	for len(attrs) >= unix.SizeofRtAttr {
		a := (*unix.RtAttr)(unsafe.Pointer(&attrs[0]))
		n := int(a.Len)
		if n < unix.SizeofRtAttr || n > len(attrs) {
			break
		}
		if a.Type == kind {
			return attrs[unix.SizeofRtAttr:n]
		}
		attrs = attrs[min((n+unix.RTA_ALIGNTO-1)&^(unix.RTA_ALIGNTO-1), len(attrs)):]
	}
	return nil
}

// isLocal reports whether an address is this host's own.
func (p *path) isLocal(a netip.Addr) bool {
	h, err := p.hop(a)
	return err == nil && h.local
}

// absent reports whether a target is on a link of ours and has not answered when our kernel asked there who it is: a packet
// that is kept until it does is not kept by us. And whether it, or its router, is known, by the interface of all our routes: no
// packet is kept for that.
func (p *path) absent(target netip.Addr) (absent, known bool) {
	h, err := p.hop(target)
	if err != nil || h.local {
		return false, false
	}
	next := h.router
	if !next.IsValid() {
		next = target
	}
	if p.silent(h.link, next) {
		return !h.router.IsValid(), false
	}
	return false, h.link == p.one.Load()
}

// cutOff reports whether there is no route to a target now, or only one by a router that does not answer, from an address that
// nobody can answer or through an interface that does not run. Where it is so is asked for by address; where it is not, what was found
// of the target's /24 a moment ago holds.
func (p *path) cutOff(target netip.Addr) bool {
	if p == nil {
		return false
	}
	return isCut(p.cuts, groupOf(target), p.age, func() bool {
		h, err := p.hop(target)
		if err != nil {
			return errors.Is(err, unix.ENETUNREACH) || errors.Is(err, unix.EHOSTUNREACH)
		}
		return h.unanswerable() || h.router.IsValid() && isCut(p.routers, h, p.age, func() bool {
			return p.silent(h.link, h.router)
		}) || isCut(p.routers, hop{link: h.link}, p.age, func() bool { return !p.runs(h.link) })
	})
}

// isCut asks, unless it was found so short a time ago that it is not so.
func isCut[K comparable](found map[K]cut, key K, age time.Duration, ask func() bool) bool {
	now := time.Now()
	if c, ok := found[key]; ok && !c.off && now.Sub(c.at) < age {
		return false
	}
	off := ask()
	found[key] = cut{now, off}
	return off
}

// neighbour asks for the state of a neighbour; 0: unknown.
func (p *path) neighbour(link int32, a netip.Addr) (state uint16) {
	m := unix.NdMsg{Family: familyOf(a), Ifindex: link}
	_ = p.request(unix.RTM_GETNEIGH, append(bytesOf(&m), addressAttr(unix.NDA_DST, a)...), func(b []byte) error {
		messages, err := syscall.ParseNetlinkMessage(b)
		if err == nil && len(messages) > 0 && messages[0].Header.Type == unix.RTM_NEWNEIGH && len(messages[0].Data) >= unix.SizeofNdMsg {
			state = (*unix.NdMsg)(unsafe.Pointer(&messages[0].Data[0])).State
		}
		return err
	})
	return state
}

func familyOf(a netip.Addr) uint8 {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// addressAttr is an attribute that holds an address.
func addressAttr(kind uint16, a netip.Addr) []byte {
	b := a.AsSlice()
	attr := unix.RtAttr{Len: uint16(unix.SizeofRtAttr + len(b)), Type: kind}
	return append(bytesOf(&attr), b...)
}

// hop asks for the route to an address. An error is the kernel's: there is none.
func (p *path) hop(a netip.Addr) (hop, error) {
	m := unix.RtMsg{Family: familyOf(a), Dst_len: uint8(a.BitLen())}
	body := append(bytesOf(&m), addressAttr(unix.RTA_DST, a)...)
	var h hop
	err := p.request(unix.RTM_GETROUTE, body, func(b []byte) (err error) {
		h, err = readRoute(b)
		return err
	})
	return h, err
}

// readRoute reads the answer to RTM_GETROUTE.
func readRoute(b []byte) (h hop, err error) {
	messages, err := syscall.ParseNetlinkMessage(b)
	if err != nil || len(messages) == 0 {
		return h, fmt.Errorf("read route: %d bytes are no netlink message: %w", len(b), unix.EBADMSG)
	}
	m := &messages[0]
	if err := netlinkError(m); err != nil {
		return h, fmt.Errorf("look route up: %w", err)
	}
	if m.Header.Type != unix.RTM_NEWROUTE || len(m.Data) < unix.SizeofRtMsg {
		return h, fmt.Errorf("read route: a message of type %d: %w", m.Header.Type, unix.EBADMSG)
	}
	h.local = (*unix.RtMsg)(unsafe.Pointer(&m.Data[0])).Type == unix.RTN_LOCAL
	// The library steps over what follows the last attribute up to the next word, and panics where there is nothing.
	m.Data = append(slices.Clip(m.Data), make([]byte, -len(m.Data)&(unix.RTA_ALIGNTO-1))...)
	attrs, err := syscall.ParseNetlinkRouteAttr(m)
	if err != nil {
		return h, fmt.Errorf("read route: %w", err)
	}
	for _, a := range attrs {
		switch {
		case a.Attr.Type == unix.RTA_OIF && len(a.Value) >= 4:
			h.link = *(*int32)(unsafe.Pointer(&a.Value[0]))
		case a.Attr.Type == unix.RTA_PREFSRC:
			h.source, _ = netip.AddrFromSlice(a.Value)
		case a.Attr.Type == unix.RTA_GATEWAY:
			h.router, _ = netip.AddrFromSlice(a.Value)
		case a.Attr.Type == unix.RTA_VIA && len(a.Value) > 2: // a family, and an address of that
			h.router, _ = netip.AddrFromSlice(a.Value[2:])
		}
	}
	return h, nil
}

// netlinkError is the error that a message carries, if it is one.
func netlinkError(m *syscall.NetlinkMessage) error {
	if m.Header.Type != unix.NLMSG_ERROR {
		return nil
	}
	if len(m.Data) < 4 {
		return unix.EBADMSG
	}
	if errno := *(*int32)(unsafe.Pointer(&m.Data[0])); errno < 0 {
		return unix.Errno(-errno)
	}
	return unix.EBADMSG
}

// runs asks whether an interface is up and has a carrier.
func (p *path) runs(link int32) (runs bool) {
	info := unix.IfInfomsg{Index: link}
	_ = p.request(unix.RTM_GETLINK, bytesOf(&info), func(b []byte) error {
		for l, r := range linkNews(b) {
			runs = l == link && r
		}
		return nil
	})
	return runs
}

// silent reports whether a neighbour has not answered when our kernel asked who it is.
func (p *path) silent(link int32, neighbour netip.Addr) bool {
	return p.neighbour(link, neighbour)&(unix.NUD_INCOMPLETE|unix.NUD_FAILED) != 0
}

// leadsBy reports whether a target is reached by a router.
func (p *path) leadsBy(target, router netip.Addr) bool {
	h, err := p.hop(target)
	return err == nil && h.router == router
}

// missing yields the routers of the samples that do not answer now: of what is to go by them our kernel keeps some, and drops the rest.
// It belongs to the goroutine that looks.
func (p *path) missing(yield func(router netip.Addr) bool) {
	if p == nil {
		return
	}
	for router, h := range p.nexts {
		if p.silent(h.link, router) && !yield(router) {
			return
		}
	}
}

// idle reports whether no queue of an interface of this network namespace holds a packet: what was handed to one before has left
// it. It is of all, for an interface may send by others.
func (p *path) idle() bool {
	if p == nil {
		return false
	}
	fd, err := netlinkSocket(0) // of its own: the answers are many
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	body := make([]byte, sizeofTcMsg)
	h := unix.NlMsghdr{Len: uint32(unix.SizeofNlMsghdr + len(body)), Type: unix.RTM_GETQDISC, Flags: unix.NLM_F_REQUEST | unix.NLM_F_DUMP}
	if unix.Sendto(fd, append(bytesOf(&h), body...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}) != nil {
		return false
	}
	for {
		n, _, err := unix.Recvfrom(fd, p.buf, unix.MSG_DONTWAIT)
		if err != nil {
			return false
		}
		if empty, more := emptyQueues(p.buf[:n]); !empty || !more {
			return empty
		}
	}
}

// emptyQueues reads a part of the answer to RTM_GETQDISC: whether all queues in it are empty, and whether more is to come. What it
// cannot read is not empty.
func emptyQueues(b []byte) (empty, more bool) {
	messages, err := syscall.ParseNetlinkMessage(b)
	if err != nil {
		return false, false
	}
	for _, m := range messages {
		switch {
		case m.Header.Type == unix.NLMSG_DONE:
			return true, false
		case m.Header.Type != unix.RTM_NEWQDISC || len(m.Data) < sizeofTcMsg:
			return false, false
		case queueLength(m.Data[sizeofTcMsg:]) != 0:
			return false, false
		}
	}
	return true, true
}

// queueLength finds, among the attributes of a queue, how many packets it holds: in struct tc_stats (linux/pkt_sched.h).
func queueLength(attrs []byte) uint32 {
	const tcaStats, at = 3, 28
	if stats := attributeOf(attrs, tcaStats); len(stats) >= at+4 {
		return binary.NativeEndian.Uint32(stats[at:])
	}
	return 1 // it does not say
}

// request asks the kernel, which has answered when the sending returns.
func (p *path) request(kind uint16, body []byte, read func(b []byte) error) error {
	if p == nil {
		return unix.ENOSYS
	}
	h := unix.NlMsghdr{Len: uint32(unix.SizeofNlMsghdr + len(body)), Type: kind, Flags: unix.NLM_F_REQUEST}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := unix.Sendto(p.ask, append(bytesOf(&h), body...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("ask netlink: %w", err)
	}
	n, _, err := unix.Recvfrom(p.ask, p.answ, unix.MSG_DONTWAIT)
	if err != nil {
		return fmt.Errorf("read netlink: %w", err)
	}
	return read(p.answ[:n])
}

// bytesOf is a copy of a struct of the kernel's.
func bytesOf[T any](v *T) []byte {
	return append([]byte(nil), unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))...)
}
