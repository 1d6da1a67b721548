package probe

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// control is a control message as the kernel lays it out, padded or not.
func control(level, kind int32, data []byte, padded bool) []byte {
	b := make([]byte, unix.CmsgSpace(len(data)))
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	h.Level, h.Type = level, kind
	h.SetLen(unix.CmsgLen(len(data)))
	copy(b[unix.CmsgLen(0):], data)
	if !padded {
		b = b[:unix.CmsgLen(len(data))]
	}
	return b
}

// stampControl is the SO_TIMESTAMPNS of a message.
func stampControl(at unix.Timespec) []byte {
	return control(unix.SOL_SOCKET, unix.SCM_TIMESTAMPNS, bytesOf(&at), true)
}

// errorControl is the IP_RECVERR or IPV6_RECVERR of a message: an ICMP error and its sender.
func errorControl(origin, kind, code uint8, from netip.Addr) []byte {
	e := unix.SockExtendedErr{Errno: uint32(unix.EHOSTUNREACH), Origin: origin, Type: kind, Code: code}
	if from.Is4() {
		offender := unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: from.As4()}
		return control(unix.IPPROTO_IP, unix.IP_RECVERR, append(bytesOf(&e), bytesOf(&offender)...), true)
	}
	offender := unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: from.As16()}
	return control(unix.IPPROTO_IPV6, unix.IPV6_RECVERR, append(bytesOf(&e), bytesOf(&offender)...), true)
}

// FuzzControl: the walk over control messages ends, stays within what was received, and finds what x/sys finds.
func FuzzControl(f *testing.F) {
	stamp := stampControl(unix.Timespec{Sec: 1418659200, Nsec: 999999999})
	f.Add(stamp)
	f.Add(append(control(unix.SOL_SOCKET, unix.SO_RXQ_OVFL, []byte{1, 0, 0, 0}, true), stamp...))
	f.Add(append(slices.Clone(stamp), errorControl(unix.SO_EE_ORIGIN_ICMP, 3, 1, router4)...))
	f.Add(errorControl(unix.SO_EE_ORIGIN_ICMP6, 1, 4, other6))
	f.Add(errorControl(unix.SO_EE_ORIGIN_ICMP, 3, 13, router4)[:unix.CmsgLen(16)])
	f.Add(control(unix.SOL_SOCKET, unix.SCM_TIMESTAMPNS, nil, true))
	f.Add(control(unix.SOL_SOCKET, unix.SCM_TIMESTAMPNS, []byte{1}, false))
	f.Fuzz(func(t *testing.T, oob []byte) {
		rest := oob
		for n := 0; ; n++ {
			before := len(rest)
			data, _, _ := nextControl(&rest)
			if data == nil {
				break
			}
			if len(rest) >= before || len(data) == 0 || len(data)+unix.CmsgLen(0) > before {
				t.Fatalf("%d bytes of data and %d left of %d", len(data), len(rest), before)
			}
		}
		got, want := kernelStamp(oob), int64(0)
		messages, err := unix.ParseSocketControlMessage(oob)
		if err != nil || slices.ContainsFunc(messages, func(m unix.SocketControlMessage) bool { return len(m.Data) == 0 }) {
			return // the kernel sends none such, and where to stop is a matter of taste
		}
		for _, m := range messages {
			if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= 16 && want == 0 {
				var at unix.Timespec
				copy(unsafe.Slice((*byte)(unsafe.Pointer(&at)), 16), m.Data)
				want = at.Nano()
				break
			}
		}
		if got != want {
			t.Errorf("stamp %d, want %d, of % x", got, want, oob)
		}
		if _, a, ok := extendedError(oob); !ok && a != (Arrival{}) {
			t.Errorf("no error, yet %+v of % x", a, oob)
		}
	})
}

// deaf is an ICMP socket without a socket, that keeps what it hands in.
func deaf(v6, raw bool) (s *icmpSocket, got *[]Arrival) {
	got = new([]Arrival)
	target := target4
	if v6 {
		target = target6
	}
	awaited := func(a netip.Addr, _ Protocol, yield func(Ticket) bool) {
		if a == target {
			yield(testTicket)
		}
	}
	cfg := &SweeperConfig{tally: &wireTally{}, awaited: awaited}
	e := newEcho(v6, raw && !v6, 4711, "").fixed()
	return &icmpSocket{cfg: cfg, sink: func(a Arrival) { *got = append(*got, a) }, v6: v6, raw: raw, echo: e}, got
}

// rawPacket is an IPv4 packet as a raw socket delivers it.
func rawPacket(source netip.Addr, options int, payload []byte) []byte {
	b := make([]byte, 20+options)
	b[0], b[9] = 0x40|uint8(len(b)/4), protocolICMP4
	a := source.As4()
	copy(b[12:], a[:])
	return append(b, payload...)
}

// FuzzMessage: whatever a raw socket delivers, with whatever control messages, credits nothing but a reply of the target
// or an error about the request to it, and is counted where it does not.
func FuzzMessage(f *testing.F) {
	s, _ := deaf(false, true)
	request := s.echo.testRequest(target4, testTicket)
	stamp := stampControl(unix.NsecToTimespec(time.Now().UnixNano()))
	f.Add(rawPacket(target4, 0, s.echo.testReply(request)), stamp, false)
	f.Add(rawPacket(other4, 0, s.echo.testReply(request)), stamp, false)
	f.Add(rawPacket(target4, 40, s.echo.testReply(request)), stamp[:8], false)
	f.Add(rawPacket(router4, 0, quote(s.echo, unreachable4, 1, request, target4, icmpHeaderLen, 0)), []byte{}, false)
	f.Add(rawPacket(router4, 4, quote(s.echo, timeExceeded4, 0, request, target4, echoLen, 8)), []byte{}, false)
	f.Add(rawPacket(target4, 0, s.echo.testReply(request)), stamp, true)
	f.Add([]byte{0x45}, []byte{}, false)
	f.Fuzz(func(t *testing.T, b, oob []byte, truncated bool) {
		s, got := deaf(false, true)
		if n := 20; len(b) >= n+icmpHeaderLen && b[0]&0x0f == 5 {
			b = append(slices.Clone(b[:n]), resum(slices.Clone(b[n:]))...)
		}
		var stamps stampClock
		stamps.read(time.Now())
		s.deliver(b, oob, netip.Addr{}, !truncated, &stamps)
		counted := s.cfg.tally.forgedPackets.Load() + s.cfg.tally.malformed.Load()
		if uint64(len(*got))+counted > 1 {
			t.Fatalf("%d arrivals, %d counted", len(*got), counted)
		}
		for _, a := range *got {
			from := netip.AddrFrom4([4]byte(b[12:16]))
			if truncated || a.Ticket != testTicket || a.Outcome == Reply && from != target4 ||
				a.Outcome == Unreachable && a.From != from || stamps.now.Sub(a.At) > mostQueued || a.At.After(stamps.now) {
				t.Errorf("% x of %s arrives as %+v", b, from, a)
			}
		}
	})
}

// FuzzQueuedError: whatever a datagram socket's error queue holds, it credits nothing but an ICMP error about the request.
func FuzzQueuedError(f *testing.F) {
	for _, v6 := range []bool{false, true} {
		s, _ := deaf(v6, false)
		target, from, kind, origin := target4, router4, unreachable4, uint8(unix.SO_EE_ORIGIN_ICMP)
		if v6 {
			target, from, kind, origin = target6, other6, unreachable6, unix.SO_EE_ORIGIN_ICMP6
		}
		request := s.echo.testRequest(target, testTicket)
		f.Add(request, errorControl(origin, kind, 1, from), target.AsSlice())
		f.Add(request[:icmpHeaderLen], errorControl(origin, kind, 1, from), target.AsSlice())
		f.Add(request[:icmpHeaderLen-1], errorControl(origin, kind, 1, from), target.AsSlice())
		f.Add(request, errorControl(unix.SO_EE_ORIGIN_LOCAL, kind, 0, from), target.AsSlice())
		f.Add(request, errorControl(unix.SO_EE_ORIGIN_TIMESTAMPING, kind, 0, from), target.AsSlice())
		f.Add(request, errorControl(origin, kind, 1, from), from.AsSlice())
		f.Add(request, errorControl(origin, kind, 1, from)[:24], target.AsSlice())
	}
	f.Fuzz(func(t *testing.T, quoted, oob, about []byte) {
		target, ok := netip.AddrFromSlice(about)
		if !ok || target.Is4In6() {
			return
		}
		s, got := deaf(target.Is6(), false)
		sa, _ := sockaddrOf(target, 0)
		s.queued(quoted, oob, sa)
		origin, what, _ := extendedError(oob)
		for _, a := range *got {
			if a.Ticket != testTicket || a.Outcome != Unreachable || !s.echo.isError(a.Type) || origin == unix.SO_EE_ORIGIN_LOCAL || origin == unix.SO_EE_ORIGIN_TIMESTAMPING ||
				target != target4 && target != target6 || a.Type != what.Type || a.Code != what.Code || a.From != what.From {
				t.Errorf("% x about %s arrives as %+v", quoted, target, a)
			}
		}
		if len(*got) > 1 {
			t.Errorf("%d arrivals", len(*got))
		}
	})
}

// FuzzDNSProve: whatever comes from wherever, it is either credited, to a question asked of that very address that bears
// its id, or counted.
func FuzzDNSProve(f *testing.F) {
	question, err := packQuestion("www.example", 1)
	if err != nil {
		f.Fatal(err)
	}
	answer := slices.Clone(question.plain)
	answer[2] |= 0x80
	f.Add(answer, target4.AsSlice(), uint16(dnsPort), true)
	f.Add(answer, target4.AsSlice(), uint16(54), true)
	f.Add(answer, other4.AsSlice(), uint16(dnsPort), true)
	f.Add(answer, target6.AsSlice(), uint16(dnsPort), false)
	f.Add(answer[:dnsHeader], target4.AsSlice(), uint16(dnsPort), true)
	f.Add(slices.Clone(question.edns), target4.AsSlice(), uint16(dnsPort), true)
	f.Fuzz(func(t *testing.T, b, from []byte, port uint16, right bool) {
		w := testDNSWire(t, question)
		source, ok := netip.AddrFromSlice(from)
		if !ok {
			return
		}
		b = slices.Clone(b)
		if right && len(b) >= 2 {
			binary.BigEndian.PutUint16(b, w.awaited.byTarget[target4][0].id)
		}
		asked, ok := w.prove(b, netip.AddrPortFrom(source, port))
		counted := w.cfg.tally.forgedPackets.Load() + w.cfg.tally.malformed.Load()
		switch {
		case !ok && counted != 1 || ok && counted != 0:
			t.Errorf("credited: %t; counted: %d", ok, counted)
		case ok && (port != dnsPort || asked.ticket != testTicket || source != target4 || binary.BigEndian.Uint16(b) != asked.id):
			t.Errorf("% x of %s port %d credits %+v", b, source, port, asked)
		}
	})
}

// testDNSWire is a wire without sockets that awaits the answer to one question, to target4.
func testDNSWire(t testing.TB, question dnsQuestion) *dnsWire {
	t.Helper()
	w := &dnsWire{cfg: &SweeperConfig{tally: &wireTally{}}, question: question, opened: time.Now(), awaited: newDNSAwaited()}
	w.awaited.key = [2]uint64{1, 2}
	if _, err := w.awaited.add(target4, testTicket, 0); err != nil {
		t.Fatal(err)
	}
	return w
}

// FuzzDNSNotice: whatever an ICMP error quotes of whatever it is about, it is credited to the question that it quotes, or
// counted; and life it is only where the target itself says that nobody listens.
func FuzzDNSNotice(f *testing.F) {
	f.Add([]byte{}, target4.AsSlice(), uint16(dnsPort), errorControl(unix.SO_EE_ORIGIN_ICMP, 3, 3, target4), false)
	f.Add([]byte{0}, target4.AsSlice(), uint16(dnsPort), errorControl(unix.SO_EE_ORIGIN_ICMP, 3, 3, target4), false)
	f.Add([]byte{0, 0}, target4.AsSlice(), uint16(dnsPort), errorControl(unix.SO_EE_ORIGIN_ICMP, 3, 3, target4), true)
	f.Add([]byte{0, 0, 1}, target4.AsSlice(), uint16(dnsPort), errorControl(unix.SO_EE_ORIGIN_ICMP, 3, 3, router4), true)
	f.Add([]byte{0, 0}, target4.AsSlice(), uint16(54), errorControl(unix.SO_EE_ORIGIN_ICMP, 11, 0, router4), true)
	f.Add([]byte{0, 0}, other6.AsSlice(), uint16(dnsPort), errorControl(unix.SO_EE_ORIGIN_ICMP6, 1, 4, other6), true)
	f.Fuzz(func(t *testing.T, quoted, about []byte, port uint16, oob []byte, right bool) {
		w := testDNSWire(t, dnsQuestion{})
		target, ok := netip.AddrFromSlice(about)
		if !ok {
			return
		}
		quoted = slices.Clone(quoted)
		if right && len(quoted) >= 2 {
			binary.BigEndian.PutUint16(quoted, w.awaited.byTarget[target4][0].id)
		}
		_, what, _ := extendedError(oob)
		n := icmpNotice{target: netip.AddrPortFrom(target, port), what: what, quoted: quoted}
		news := w.proveNotice(&n, time.Now(), nil)
		counted := w.cfg.tally.forgedPackets.Load()
		if uint64(len(news))+counted != 1 {
			t.Fatalf("%d arrivals, %d counted", len(news), counted)
		}
		for _, a := range news {
			closed := what.Type == unreachable4 && what.Code == 3 && what.From == target
			if a.Ticket != testTicket || target != target4 || port != dnsPort || (a.Outcome == Refused) != closed ||
				!closed && a.Outcome != Unreachable || a.RTT <= 0 {
				t.Errorf("%+v about %s quoting % x is %+v", what, target, quoted, a)
			}
		}
	})
}
