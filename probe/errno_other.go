//go:build !linux

package probe

import "syscall"

// errnoName is what this system says of an errno.
func errnoName(e syscall.Errno) string { return e.Error() }
