package agent

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// misrouted is how many packets the kernel has dropped because it would not answer them by the interface by which they came:
// a strict rp_filter, where the way back is another than the way there. 0: it does not tell.
func (d *doctor) misrouted() uint64 {
	b, err := os.ReadFile(filepath.Join(d.proc, "net/netstat"))
	if err != nil {
		return 0
	}
	return netstatCounter(b, "IPReversePathFilter")
}

// netstatCounter finds a counter in /proc/net/netstat, where a line of names stands before each line of numbers.
func netstatCounter(b []byte, name string) uint64 {
	var names [][]byte
	for line := range bytes.Lines(b) {
		words := bytes.Fields(line)
		for i, word := range words {
			if i < len(names) && string(names[i]) == name && string(names[0]) == string(words[0]) {
				n, _ := strconv.ParseUint(string(word), 10, 64)
				return n
			}
		}
		names = words
	}
	return 0
}

// sayMisrouted adds to the finding about silent references that answers may have been dropped here.
func (d *doctor) sayMisrouted(dropped uint64) {
	f := &d.findings[len(d.findings)-1]
	if f.Verdict == verdictOK || dropped == 0 {
		return
	}
	f.Detail += fmt.Sprintf("; meanwhile the kernel dropped %d packets that came by another interface than it would answer by", dropped)
	f.Fix += "; if those were the answers: sudo sysctl -w net.ipv4.conf.all.rp_filter=2"
}
