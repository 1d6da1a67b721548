package probe

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// errnoName is the symbol of an errno, like ENOBUFS.
func errnoName(e syscall.Errno) string { return unix.ErrnoName(e) }
