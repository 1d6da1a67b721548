package probe

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// DefaultGateway is the IPv4 gateway of the default route, by Linux's /proc/net/route, or an error where there is none.
func DefaultGateway() (netip.Addr, error) {
	f, err := os.Open("/proc/net/route")
	if err != nil {
		return netip.Addr{}, fmt.Errorf("find the default gateway: %w", err)
	}
	defer f.Close()
	a, err := defaultGateway(f)
	if err != nil {
		return a, fmt.Errorf("find the default gateway in %s: %w", f.Name(), err)
	}
	return a, nil
}

// defaultGateway reads a routing table as of proc_net_route: of the default routes by a gateway that are up, that with the
// lowest metric.
func defaultGateway(r io.Reader) (gateway netip.Addr, err error) {
	const up, byGateway = 0x1, 0x2 // RTF_UP and RTF_GATEWAY: linux/route.h
	lowest := uint64(math.MaxUint64)
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		// Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT
		f := strings.Fields(lines.Text())
		if len(f) < 8 || f[1] != "00000000" || f[7] != "00000000" {
			continue
		}
		address, err := hex.DecodeString(f[2])
		flags, flagsErr := strconv.ParseUint(f[3], 16, 16)
		metric, metricErr := strconv.ParseUint(f[6], 10, 32)
		if err != nil || flagsErr != nil || metricErr != nil || len(address) != 4 {
			return netip.Addr{}, fmt.Errorf("line %q is none of a routing table", lines.Text())
		}
		if flags&(up|byGateway) != up|byGateway || metric >= lowest {
			continue
		}
		lowest = metric
		// The kernel prints the address's bytes as a number of its own byte order.
		var b [4]byte
		binary.NativeEndian.PutUint32(b[:], binary.BigEndian.Uint32(address))
		gateway = netip.AddrFrom4(b)
	}
	if err := lines.Err(); err != nil {
		return netip.Addr{}, err
	}
	if !gateway.IsValid() {
		return gateway, fmt.Errorf("no default route by a gateway")
	}
	return gateway, nil
}
