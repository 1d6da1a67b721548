package agent

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// descriptorLimit is how many files this process may open.
func descriptorLimit() (uint64, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("read the limit of open files: %w", err)
	}
	return limit.Cur, nil
}

// clockSynchronised asks the kernel whether something keeps its clock: adjtimex(2).
func clockSynchronised() (synchronised, known bool) {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return false, false
	}
	return state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0, true
}

// stampsArrivals asks the kernel whether it notes when a packet came: SO_TIMESTAMPNS of socket(7).
func stampsArrivals() (stamps, known bool) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false, false
	}
	defer unix.Close(fd)
	return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1) == nil, true
}

// routeQueue is the device that leads to an address, and how many packets its transmit queue holds.
func routeQueue(a netip.Addr) (device string, length int, err error) {
	routes, err := netlink.RouteGet(a.AsSlice())
	if err != nil {
		return "", 0, fmt.Errorf("find the route: %w", err)
	}
	link, err := netlink.LinkByIndex(routes[0].LinkIndex)
	if err != nil {
		return "", 0, fmt.Errorf("find the route's device: %w", err)
	}
	return link.Attrs().Name, link.Attrs().TxQLen, nil
}
