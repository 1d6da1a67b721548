package probe

import (
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// refusals tells the refusals of a firewall of ours, such as nftables' "reject with tcp reset", from those of targets, which are life.
// Both are a RST; ours comes by loopback, and while connect lasts, as does that of a neighbour on this very machine.
type refusals struct {
	path  *path // nil: not opened yet, or not to be had
	tried bool  // to open it
}

// ours reports whether a refusal that came while connect lasted is this host's, though the target is not. It asks once more, by a socket
// that again makes.
func (r *refusals) ours(p Packet, sa unix.Sockaddr, again func() (fd int, err error)) bool {
	if !r.tried {
		r.tried = true
		r.path, _ = openPath(nil, time.Second)
	}
	if h, err := r.path.hop(p.Target); err != nil || h.local {
		return false
	}
	fd, err := again()
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	if attachFilter(fd, notByLoopback) != nil || unix.Connect(fd, sa) != unix.EINPROGRESS {
		return false
	}
	var b buffers
	b.add(fd)
	return b.dropped > 0
}

func (r *refusals) close() { r.path.close() }

// notByLoopback drops what comes by the interface of index 1: in every network namespace that is its loopback.
var notByLoopback = []bpf.Instruction{
	bpf.LoadExtension{Num: bpf.ExtInterfaceIndex},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: 1, SkipTrue: 1},
	bpf.RetConstant{Val: 1 << 18},
	bpf.RetConstant{Val: 0},
}
