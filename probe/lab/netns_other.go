//go:build !linux

package lab

import (
	"errors"
	"io"
)

var errLinuxOnly = errors.New("network namespaces and TUN devices are Linux's")

// Inside reports whether this process runs in a network namespace that [Namespace] made.
func Inside() bool { return false }

// Namespace cannot be had on this system: the program goes on in process.
func Namespace() (inside bool, exitCode int, err error) { return false, 0, errLinuxOnly }

// Available says why a lab of real packets cannot be had here.
func Available() error { return errLinuxOnly }

func openDevice() (io.ReadWriteCloser, string, error) { return nil, "", errLinuxOnly }
