package probe

import (
	"bytes"
	"os"
	"strconv"
)

// backlog follows the queues in which Linux puts packets of virtual interfaces, those of containers among them, until it has time
// for them: one a processor, of all network namespaces together. What they cannot hold is gone without a word.
type backlog struct {
	file       *os.File // nil: this system tells nothing
	buf        []byte
	processors []queued
}

// queued is how many packets a processor's queue has taken, and how many it had no room for. Both wrap around.
type queued struct{ taken, dropped uint32 }

// crowded is the share of packets dropped, in per cent, from which on a full queue is why an answer is missing: below, it is one
// loss among others.
const crowded = 10

// softnetStat is where Linux tells of the queues.
const softnetStat = "/proc/net/softnet_stat"

func openBacklog(name string) *backlog {
	b := &backlog{buf: make([]byte, 4<<10)} // of 30 processors; it grows
	b.file, _ = os.Open(name)
	b.look()
	return b
}

func (b *backlog) close() {
	if b != nil && b.file != nil {
		_ = b.file.Close()
	}
}

// look reports whether since the last look a queue had no room for one packet in ten.
func (b *backlog) look() (full bool) {
	if b == nil || b.file == nil {
		return false
	}
	n, _ := b.file.ReadAt(b.buf, 0)
	for n == len(b.buf) {
		b.buf = make([]byte, 2*n)
		n, _ = b.file.ReadAt(b.buf, 0)
	}
	now := parseSoftnet(b.buf[:n])
	if len(now) == len(b.processors) {
		for i, was := range b.processors {
			taken, dropped := uint64(now[i].taken-was.taken), uint64(now[i].dropped-was.dropped)
			full = full || dropped > 0 && 100*dropped >= crowded*(taken+dropped)
		}
	}
	b.processors = now
	return full
}

// parseSoftnet reads a line a processor, of hexadecimal numbers: the packets taken and those dropped come first
// (softnet_seq_show in net/core/net-procfs.c).
func parseSoftnet(stat []byte) (all []queued) {
	for line := range bytes.Lines(stat) {
		words := bytes.Fields(line)
		if len(words) < 2 {
			continue
		}
		taken, _ := strconv.ParseUint(string(words[0]), 16, 32)
		dropped, _ := strconv.ParseUint(string(words[1]), 16, 32)
		all = append(all, queued{uint32(taken), uint32(dropped)})
	}
	return all
}
