package probe

import (
	"bytes"
	"os"
	"strconv"
)

// discards reads how many IPv6 packets of a network namespace, ours or others', failed to be sent: Ip6OutDiscards. The
// kernel does not tell a datagram ICMPv6 socket of such a failure (ping_v6_sendmsg in net/ipv6/ping.c), as it does all
// other sockets of ours.
type discards struct {
	file *os.File // of the namespace in which it was opened; nil: there is none
	buf  []byte
}

func openDiscards() discards {
	f, err := os.Open("/proc/thread-self/net/snmp6")
	if err != nil {
		return discards{}
	}
	return discards{f, make([]byte, 8<<10)}
}

func (d *discards) close() {
	if d.file != nil {
		_ = d.file.Close()
	}
}

func (d *discards) count() uint64 { return d.counter("Ip6OutDiscards") }

// counter is 0 where it cannot be read.
func (d *discards) counter(name string) uint64 {
	if d.file == nil {
		return 0
	}
	n, _ := d.file.ReadAt(d.buf, 0)
	return counterOf(d.buf[:n], name)
}

// counterOf finds a counter among lines of a name and a number.
func counterOf(b []byte, name string) uint64 {
	for line := range bytes.Lines(b) {
		if words := bytes.Fields(line); len(words) == 2 && string(words[0]) == name {
			n, _ := strconv.ParseUint(string(words[1]), 10, 64)
			return n
		}
	}
	return 0
}
