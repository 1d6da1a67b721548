package probe

import (
	"fmt"
	"math"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// setFilter has the kernel drop, before it queues them, all ICMP but echo replies with our id and errors that quote it.
func setFilter(fd int, v6 bool, id uint16) error {
	program := filter4(id)
	if v6 {
		program = filter6(id)
	}
	return attachFilter(fd, program)
}

// attachFilter has the kernel keep from a socket what a program returns 0 of.
func attachFilter(fd int, program []bpf.Instruction) error {
	raw, err := bpf.Assemble(program)
	if err != nil {
		return fmt.Errorf("assemble a socket's filter: %w", err)
	}
	code := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		code[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	f := unix.SockFprog{Len: uint16(len(code)), Filter: (*unix.SockFilter)(unsafe.Pointer(&code[0]))}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &f); err != nil {
		return fmt.Errorf("attach a socket's filter: %w", err)
	}
	return nil
}

// setTypes6 lets only the types in that the parser knows.
func setTypes6(fd int) error {
	var f unix.ICMPv6Filter
	for i := range f.Data {
		f.Data[i] = math.MaxUint32 // a bit that is set keeps its type out
	}
	accept := func(kind uint8) { f.Data[kind>>5] &^= 1 << (kind & 31) }
	for kind := unreachable6; kind <= badParameters6; kind++ {
		accept(kind)
	}
	accept(echoReply6)
	if err := unix.SetsockoptICMPv6Filter(fd, unix.SOL_ICMPV6, unix.ICMPV6_FILTER, &f); err != nil {
		return fmt.Errorf("set icmp socket's filter: %w", err)
	}
	return nil
}

// filter4 sees the IP header at offset 0. Errors whose quoted header has options are let through: the parser judges them.
func filter4(id uint16) []bpf.Instruction {
	const inner = icmpHeaderLen + 20
	return []bpf.Instruction{
		0:  bpf.LoadMemShift{Off: 0}, // X: the outer header's length
		1:  bpf.LoadIndirect{Off: 0, Size: 1},
		2:  bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(echoReply4), SkipTrue: 3},
		3:  bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(unreachable4), SkipTrue: 4},
		4:  bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(timeExceeded4), SkipTrue: 3},
		5:  bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(badParameters4), SkipTrue: 2, SkipFalse: 9},
		6:  bpf.LoadIndirect{Off: 4, Size: 2},
		7:  bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(id), SkipTrue: 6, SkipFalse: 7},
		8:  bpf.LoadIndirect{Off: icmpHeaderLen, Size: 1},
		9:  bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0x45, SkipTrue: 4},
		10: bpf.LoadIndirect{Off: icmpHeaderLen + 9, Size: 1},
		11: bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: protocolICMP4, SkipTrue: 3},
		12: bpf.LoadIndirect{Off: inner + 4, Size: 2},
		13: bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(id), SkipTrue: 1},
		14: bpf.RetConstant{Val: 1 << 18},
		15: bpf.RetConstant{Val: 0},
	}
}

// filter6 sees the ICMPv6 header at offset 0; types are filtered by ICMP6_FILTER (RFC 3542).
func filter6(id uint16) []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: 0, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(echoReply6), SkipTrue: 2},
		bpf.LoadAbsolute{Off: 4, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(id), SkipTrue: 1},
		bpf.RetConstant{Val: 1 << 18},
		bpf.RetConstant{Val: 0},
	}
}
