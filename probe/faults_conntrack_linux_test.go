package probe

import (
	"encoding/binary"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestOurConntrackTableIsFull fills the namespace's table of connections with established ones, which the kernel does not
// forget in favour of new ones.
func TestOurConntrackTableIsFull(t *testing.T) {
	t.Parallel() // it is a process of its own, and waits most of the time
	if !inNamespace(t) {
		return
	}
	openAlive(t)
	b, err := os.ReadFile("/proc/sys/net/netfilter/nf_conntrack_max") // of all namespaces, each
	if err != nil {
		skipUnlessCI(t, "no connection tracking: "+err.Error())
	}
	most, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || most > 1<<19 {
		t.Skipf("nf_conntrack_max is %d: too many to fill it, %v", most, err)
	}
	nft(t, "output", "ct state new counter") // so that the namespace tracks connections
	sweepers := openFaulty(t, SweeperConfig{Timeout: 2 * time.Second})
	fillConntrack(t, most+64)
	all := blameless(t, startFaulty(t, sweepers, 0, "198.18.8.0/25"))
	wantSome(t, all, Unsent)
}

// fillConntrack makes n connections known, by nfnetlink (linux/netfilter/nfnetlink_conntrack.h), or as many as there is
// room for.
func fillConntrack(t *testing.T, n int) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	const perWrite = 256
	reply := make([]byte, 1<<16)
	for made := 0; made < n; made += perWrite {
		var batch []byte
		for i := range perWrite {
			batch = append(batch, newConnection(made+i)...)
		}
		if err := unix.Sendto(fd, batch, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
			t.Fatal(err)
		}
		for { // only errors are answered: that the table is full
			if _, _, err := unix.Recvfrom(fd, reply, unix.MSG_DONTWAIT); err != nil {
				break
			}
		}
	}
}

// newConnection is IPCTNL_MSG_CT_NEW of the ith established TCP connection of 198.19.128.0/17.
func newConnection(i int) []byte {
	const (
		ctNew                                                = unix.NFNL_SUBSYS_CTNETLINK << 8
		tupleOrig, tupleReply, status, timeout, proto        = 1, 2, 3, 7, 4
		ip, ipProto, v4Source, v4Target                      = 1, 2, 1, 2
		protoNumber, protoSource, protoTarget                = 1, 2, 3
		protoTCP, tcpState, established                      = 1, 1, 3
		seenReply, assured, confirmed                        = 1 << 1, 1 << 2, 1 << 3
		nested                                        uint16 = unix.NLA_F_NESTED
	)
	a, b := []byte{198, 19, 128 + byte(i>>16), byte(i >> 8)}, []byte{198, 19, 255, byte(i)}
	tuple := func(kind uint16, from, to []byte) []byte {
		return attribute(kind|nested,
			attribute(ip|nested, attribute(v4Source, from), attribute(v4Target, to)),
			attribute(ipProto|nested, attribute(protoNumber, []byte{unix.IPPROTO_TCP}),
				attribute(protoSource, []byte{1, 1}), attribute(protoTarget, []byte{1, 1})))
	}
	body := []byte{unix.AF_INET, 0, 0, 0} // struct nfgenmsg
	for _, part := range [][]byte{
		tuple(tupleOrig, a, b), tuple(tupleReply, b, a),
		attribute(status, binary.BigEndian.AppendUint32(nil, seenReply|assured|confirmed)),
		attribute(timeout, binary.BigEndian.AppendUint32(nil, 600)),
		attribute(proto|nested, attribute(protoTCP|nested, attribute(tcpState, []byte{established}))),
	} {
		body = append(body, part...)
	}
	h := unix.NlMsghdr{Len: uint32(unix.SizeofNlMsghdr + len(body)), Type: ctNew, Flags: unix.NLM_F_REQUEST | unix.NLM_F_CREATE}
	return append(bytesOf(&h), body...)
}

// attribute is a netlink attribute of parts, padded to four bytes.
func attribute(kind uint16, parts ...[]byte) []byte {
	b := make([]byte, 4)
	for _, part := range parts {
		b = append(b, part...)
	}
	binary.NativeEndian.PutUint16(b, uint16(len(b)))
	binary.NativeEndian.PutUint16(b[2:], kind)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}
