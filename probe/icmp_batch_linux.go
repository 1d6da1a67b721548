package probe

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsghdr is the kernel's struct of that name: recvmmsg(2), sendmmsg(2).
type mmsghdr struct {
	unix.Msghdr
	size uint32 // bytes of the message
}

// batch is the memory of messages that go through one system call: heads, and what they point to. Nothing in it moves or
// is allocated once it is made. A batch is used by one goroutine at a time.
//
// Its calls never wait, so the scheduler is not told of them: where one takes longer than it expects, it would hand this
// thread's place to another, and back, which costs a fifteenth of a sweep.
type batch struct {
	heads  []mmsghdr
	parts  []unix.Iovec
	names  []unix.RawSockaddrInet6 // large enough for IPv4's too
	bodies [][]byte
	oobs   [][]byte
}

// newBatch is room for n messages of so many bytes, and of so many of control messages each.
func newBatch(n, size, oobSize int) *batch {
	b := &batch{
		heads: make([]mmsghdr, n), parts: make([]unix.Iovec, n), names: make([]unix.RawSockaddrInet6, n),
		bodies: make([][]byte, n), oobs: make([][]byte, n),
	}
	for i := range b.heads {
		b.bodies[i] = make([]byte, size)
		b.parts[i].Base = &b.bodies[i][0]
		b.parts[i].SetLen(size)
		h := &b.heads[i]
		h.Name = (*byte)(unsafe.Pointer(&b.names[i]))
		h.Iov = &b.parts[i]
		h.SetIovlen(1)
		if oobSize > 0 {
			b.oobs[i] = make([]byte, oobSize)
			h.Control = &b.oobs[i][0]
		}
	}
	return b
}

// receive reads as many messages as are there. The error is 0 where n > 0.
func (b *batch) receive(fd int) (n int, err unix.Errno) {
	for i := range b.heads {
		h := &b.heads[i]
		h.Namelen = uint32(unsafe.Sizeof(b.names[i]))
		h.SetControllen(len(b.oobs[i]))
	}
	got, _, err := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.heads[0])), uintptr(len(b.heads)),
		unix.MSG_DONTWAIT, 0, 0)
	if err != 0 {
		return 0, err
	}
	return int(got), 0
}

// message is the i-th message that was received; whole is false where it did not fit.
func (b *batch) message(i int) (body, oob []byte, from netip.Addr, whole bool) {
	h := &b.heads[i]
	return b.bodies[i][:h.size], b.oobs[i][:h.Controllen], b.name(i), h.Flags&unix.MSG_TRUNC == 0
}

// name is the address that a message came from.
func (b *batch) name(i int) netip.Addr {
	switch sa := &b.names[i]; sa.Family {
	case unix.AF_INET:
		return netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(sa)).Addr)
	case unix.AF_INET6:
		return netip.AddrFrom16(sa.Addr).Unmap()
	}
	return netip.Addr{}
}

// address says where the i-th message is to go.
func (b *batch) address(i int, to netip.Addr) {
	h := &b.heads[i]
	if to.Is4() {
		sa := (*unix.RawSockaddrInet4)(unsafe.Pointer(&b.names[i]))
		*sa = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: to.As4()}
		h.Namelen = unix.SizeofSockaddrInet4
		return
	}
	b.names[i] = unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: to.As16()}
	h.Namelen = unix.SizeofSockaddrInet6
}

// control says whether the i-th message goes with its control message.
func (b *batch) control(i int, with bool) {
	n := 0
	if with {
		n = len(b.oobs[i])
	}
	b.heads[i].SetControllen(n)
}

// send sends the messages from..to, and reports how many the kernel took. The error, if none was, is about the first.
func (b *batch) send(fd, from, to int) (n int, err unix.Errno) {
	sent, _, err := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.heads[from])), uintptr(to-from),
		unix.MSG_DONTWAIT, 0, 0)
	if err != 0 {
		return 0, err
	}
	return int(sent), 0
}
