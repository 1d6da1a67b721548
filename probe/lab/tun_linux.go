package lab

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	tunPath = "/dev/net/tun"
	tunName = "lab%d" // the kernel puts the number in
	// tunQueue is how many packets wait for the responder before the kernel drops them, silently.
	tunQueue = 16384
)

// openDevice opens a TUN device in the thread's network namespace and leads Range to it.
func openDevice() (io.ReadWriteCloser, string, error) {
	runtime.LockOSThread() // netlink sockets and /proc belong to the thread's namespace
	defer runtime.UnlockOSThread()
	if err := refuseWayOut(); err != nil {
		return nil, "", err
	}
	tun, name, err := openTUN()
	if err != nil {
		return nil, "", err
	}
	if err := errors.Join(linkUp("lo"), leadTo(name)); err != nil {
		return nil, "", errors.Join(fmt.Errorf("set up lab device: %w", err), tun.Close())
	}
	permitPing()
	return tun, name, nil
}

// refuseWayOut makes sure that a lab never takes over a network that leads somewhere.
func refuseWayOut() error {
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return fmt.Errorf("read routes: %w", err)
	}
	for _, r := range routes {
		if r.Dst == nil || r.Dst.IP.IsUnspecified() {
			return errors.New("open lab: this network namespace has a default route: enter one of its own first")
		}
	}
	return nil
}

// openTUN opens a device that carries IP packets without a header of its own.
func openTUN() (*os.File, string, error) {
	fd, err := unix.Open(tunPath, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, "", fmt.Errorf("open %s: %w", tunPath, err)
	}
	req, err := unix.NewIfreq(tunName)
	if err != nil {
		return nil, "", errors.Join(err, unix.Close(fd))
	}
	req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	// Only now may the runtime see the descriptor: before it has a device, it cannot be polled.
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		return nil, "", errors.Join(fmt.Errorf("create TUN device: %w", err), unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), tunPath), req.Name(), nil
}

func linkUp(name string) error {
	link, err := netlink.LinkByName(name)
	if err == nil {
		err = netlink.LinkSetUp(link)
	}
	if err != nil {
		return fmt.Errorf("bring %s up: %w", name, err)
	}
	return nil
}

// leadTo gives the device our source address, alone so that no address of Range becomes a broadcast, and the routes.
func leadTo(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find %s: %w", name, err)
	}
	if err := netlink.LinkSetTxQLen(link, tunQueue); err != nil {
		return fmt.Errorf("lengthen the queue of %s: %w", name, err)
	}
	own := netip.PrefixFrom(Source, Source.BitLen())
	if err := netlink.AddrAdd(link, &netlink.Addr{IPNet: ipNet(own)}); err != nil {
		return fmt.Errorf("give %s the address %s: %w", name, own, err)
	}
	if err := linkUp(name); err != nil {
		return err
	}
	index := link.Attrs().Index
	for _, r := range []netlink.Route{
		{LinkIndex: index, Dst: ipNet(Range), Scope: netlink.SCOPE_LINK},
		{LinkIndex: index, Dst: ipNet(netip.MustParsePrefix("0.0.0.0/0")), Gw: Gateway.AsSlice(), Flags: int(netlink.FLAG_ONLINK)},
	} {
		if err := netlink.RouteAdd(&r); err != nil {
			return fmt.Errorf("route %s to %s: %w", r.Dst, name, err)
		}
	}
	return nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// permitPing opens ICMP datagram sockets to every group; in a user namespace of one id, to that one. Where neither is
// permitted, only raw sockets can be used, and whoever opens one will say so.
func permitPing() {
	const setting = "/proc/sys/net/ipv4/ping_group_range"
	if os.WriteFile(setting, []byte("0 2147483647"), 0) != nil {
		os.WriteFile(setting, []byte("0 0"), 0)
	}
}
