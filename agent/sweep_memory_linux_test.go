package agent

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// BenchmarkSweepMemory sweeps spaces that the kernel owns by the command itself, and tells its peak resident memory: at
// most 100 MB for a /16 that answers as a whole, flat out, and 300 MB for a /12 of which one in 64 answers. It is to be run
// without the race detector.
func BenchmarkSweepMemory(b *testing.B) {
	const all = "add rule inet f c accept"
	const sparse = "add rule inet f c icmp type echo-request ip daddr & 0.0.0.63 != 0.0.0.9 drop"
	for _, c := range []struct {
		name, space, rule string
		args              string
		most              float64 // MB
		answers           int
	}{
		{"16 unpaced", "198.18.0.0/16", all, "--unpaced --format json", 100, 1 << 16},
		{"12 paced", "10.16.0.0/12", sparse, "--round 60s --format json", 300, 1 << 14},
		{"12 unpaced", "10.16.0.0/12", all, "--unpaced --format json", 300, 1 << 20},
	} {
		b.Run(c.name, func(b *testing.B) {
			inNetwork(b, "ip link set lo up", "ip route add local "+c.space+" dev lo", // and no way out
				"nft add table inet f", "nft add chain inet f c { type filter hook input priority 0 ; }", "nft "+c.rule)
			for b.Loop() {
				peak, answers := sweepPeak(b, c.space, c.args)
				b.ReportMetric(peak, "MB")
				b.ReportMetric(float64(answers)/float64(c.answers)*100, "%found")
				if peak > c.most {
					b.Errorf("%.1f MB, more than %.0f", peak, c.most)
				}
			}
		})
	}
}

// sweepPeak runs the command in the test's namespace, and counts answers.
func sweepPeak(b *testing.B, space, args string) (megabytes float64, answers int) {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	out, err := os.Create(filepath.Join(b.TempDir(), "round.jsonl")) // not in our memory, which the child's counts from
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(self)
	cmd.Args = append([]string{"brownout", "sweep", "--space", space, "--protocols", "icmp", "--acknowledge-fast", "--contact", "https://example.org/probe"}, strings.Fields(args)...)
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	if err := cmd.Run(); err != nil {
		b.Fatal(err)
	}
	peak := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss // KiB; at least our own, which it was forked from
	round, err := os.ReadFile(out.Name())
	if err != nil {
		b.Fatal(err)
	}
	return float64(peak) * 1024 / 1e6, bytes.Count(round, []byte(`"outcome":"reply"`))
}
