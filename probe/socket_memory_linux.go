package probe

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// enlargeReceiveBuffer makes a socket hold size bytes, and says whether that had to be granted. Where not, the kernel grants
// net.core.rmem_max at most, and the sweep watches how full the buffer is.
func enlargeReceiveBuffer(fd, size int) (forced bool, err error) {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, size) == nil {
		return true, nil
	}
	return false, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, size)
}

// add reads those of a socket, from SO_MEMINFO. Where that cannot be read, as of a closed one, there is nothing to add.
func (b *buffers) add(fd int) {
	var mem [unix.SK_MEMINFO_VARS]uint32
	size := uint32(unsafe.Sizeof(mem))
	_, _, _ = unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&mem)), uintptr(unsafe.Pointer(&size)), 0)
	if mem[unix.SK_MEMINFO_RCVBUF] == 0 {
		return
	}
	b.full = max(b.full, float64(mem[unix.SK_MEMINFO_RMEM_ALLOC])/float64(mem[unix.SK_MEMINFO_RCVBUF]))
	b.dropped += uint64(mem[unix.SK_MEMINFO_DROPS])
	b.held = b.held || mem[unix.SK_MEMINFO_WMEM_ALLOC] > 0
}
