//go:build !linux

package agent

import (
	"errors"
	"net/netip"
)

// descriptorLimit is known on Linux only.
func descriptorLimit() (uint64, error) {
	return 0, errors.New("the limit of open files is not visible here")
}

// clockSynchronised is known on Linux only.
func clockSynchronised() (synchronised, known bool) { return false, false }

// stampsArrivals is known on Linux only.
func stampsArrivals() (stamps, known bool) { return false, false }

// routeQueue is known on Linux only.
func routeQueue(netip.Addr) (device string, length int, err error) {
	return "", 0, errors.New("routes are not visible here")
}
