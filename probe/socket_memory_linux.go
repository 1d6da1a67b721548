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

// receiveQueue reads the share of a socket's receive buffer in use, and how many packets found it full.
func receiveQueue(fd int) (full float64, dropped uint64) {
	mem := memInfo(fd)
	if mem[unix.SK_MEMINFO_RCVBUF] == 0 {
		return 0, 0
	}
	return float64(mem[unix.SK_MEMINFO_RMEM_ALLOC]) / float64(mem[unix.SK_MEMINFO_RCVBUF]), uint64(mem[unix.SK_MEMINFO_DROPS])
}

// sendQueued reports whether packets of a socket have not left this host yet.
func sendQueued(fd int) bool { return memInfo(fd)[unix.SK_MEMINFO_WMEM_ALLOC] > 0 }

// memInfo is a socket's SO_MEMINFO; all zero where it cannot be read.
func memInfo(fd int) (mem [unix.SK_MEMINFO_VARS]uint32) {
	size := uint32(unsafe.Sizeof(mem))
	_, _, _ = unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&mem)), uintptr(unsafe.Pointer(&size)), 0)
	return mem
}
