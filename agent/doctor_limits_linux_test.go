package agent

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"brownout/probe"
	"brownout/store"
)

// TestDoctorStoreNotWritable: a store that may be read only is none that an agent can run on.
func TestDoctorStoreNotWritable(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s.db")
	s, err := store.Open(path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Close(), os.Chmod(path, 0o644), os.Chmod(dir, 0o755), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
		t.Fatal(err)
	}
	d := &doctor{cfg: DefaultConfig()}
	d.cfg.Store.Path = path
	d.store()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if os.Getuid() == 0 {
			unix.SetfsuidRetUid(65534)
		} else if err := os.Chmod(path, 0o400); err != nil {
			t.Error(err)
		}
		d.store()
	}()
	<-done
	if f := d.findings; f[0].Verdict != verdictOK || f[1].Verdict != verdictFail || !strings.Contains(f[1].Detail, "not written: permission denied") {
		t.Errorf("%+v", f)
	}
}

// inNetwork puts the test's goroutine, for good, into a network namespace of its own with no way out, and runs commands
// in there.
func inNetwork(t testing.TB, lines ...string) {
	t.Helper()
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("on CI nothing may be skipped: ", err)
		}
		t.Skip("no network namespace of our own: ", err)
	}
	for _, line := range lines {
		words := strings.Fields(line)
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
	}
}

// dropPrivileges takes every capability from the thread that the test is locked to, for good.
func dropPrivileges(t *testing.T) {
	t.Helper()
	h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&h, &none[0]); err != nil {
		t.Fatal(err)
	}
}

// sysctl sets a kernel setting of the test's namespace.
func sysctl(t *testing.T, name, value string) {
	t.Helper()
	if err := os.WriteFile("/proc/sys/"+name, []byte(value), 0); err != nil {
		t.Fatal(err)
	}
}

// openFiles lowers the limit of open files until the test ends.
func openFiles(t *testing.T, limit uint64) {
	t.Helper()
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: limit, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	})
}

// doctorOf is a doctor for a space that is to be probed by ICMP and TCP.
func doctorOf(t *testing.T, space string, round time.Duration) *doctor {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Probe.Protocols, cfg.Probe.Round = []probe.Protocol{probe.ICMP, probe.TCP(80)}, round
	var err error
	if cfg.Targets, err = probe.ParseSpace([]string{space}, nil); err != nil {
		t.Fatal(err)
	}
	return &doctor{cfg: cfg, unpaced: round == 0, proc: "/proc"}
}

// TestDoctorLimits sets real limits, and expects the doctor to see them.
func TestDoctorLimits(t *testing.T) {
	const lead = "ip route add local 198.18.0.0/15 dev lo"
	permitPing := func(t *testing.T) { sysctl(t, "net/ipv4/ping_group_range", "0 2147483647") }
	for _, tt := range []struct {
		name   string
		space  string
		round  time.Duration // 0: unpaced
		lines  []string      // what is run in the namespace
		limit  func(*testing.T)
		check  func(*doctor)
		want   verdict
		detail string
		fix    string
	}{
		{"a forced buffer", "198.18.0.0/16", 0, nil, nil, (*doctor).receiveBuffer, verdictOK, "unpaced sweep may have under way 8192", ""},
		{"more replies than any buffer holds", "198.18.0.0/15", time.Second, nil, func(t *testing.T) { permitPing(t); dropPrivileges(t) }, (*doctor).receiveBuffer, verdictWarn, "0.5 s of this pace bring 65536", "probe.round to 4s or more"},
		{"no ICMP socket", "198.18.0.0/22", 0, nil, func(t *testing.T) { sysctl(t, "net/ipv4/ping_group_range", "1 0"); dropPrivileges(t) }, (*doctor).receiveBuffer, verdictNone, "no ICMP socket", ""},
		{"a kernel that stamps", "198.18.0.0/22", 0, nil, nil, (*doctor).stamps, verdictOK, "noted by the kernel", ""},
		{"many files", "198.18.0.0/22", 11 * time.Minute, nil, func(t *testing.T) { openFiles(t, 4096) }, (*doctor).descriptors, verdictOK, "4096 open files are allowed", ""},
		{"few files", "198.18.0.0/16", 0, nil, func(t *testing.T) { openFiles(t, 512) }, (*doctor).descriptors, verdictWarn, "448 TCP attempts go at once, so that 65536 take 7m21s", "ulimit -n"},
		{"few files, slowly", "198.18.0.0/16", 24 * time.Hour, nil, func(t *testing.T) { openFiles(t, 512) }, (*doctor).descriptors, verdictOK, "", ""},
		{"more attempts than ever go at once", "198.18.0.0/15", 5 * time.Second, nil, nil, (*doctor).descriptors, verdictWarn, "", "probe.round to 24s or more"},
		{"the kernel's ports", "198.18.0.0/22", 0, nil, nil, (*doctor).ports, verdictOK, "28232 ephemeral ports", ""},
		{"two ports", "198.18.0.0/22", 0, nil, func(t *testing.T) { sysctl(t, "net/ipv4/ip_local_port_range", "40000 40001") }, (*doctor).ports, verdictWarn, "2 ephemeral ports", "ip_local_port_range"},
		{"loopback's queue", "198.18.0.0/22", 0, []string{lead}, nil, (*doctor).queue, verdictOK, "198.18.0.0 by lo, whose queue holds 1000", ""},
		{"a short queue", "198.18.0.0/22", 0, []string{
			"ip link add name near txqueuelen 10 type veth peer name far", "ip link set near up", "ip route add 198.18.0.0/15 dev near",
		}, nil, (*doctor).queue, verdictWarn, "by near, whose queue holds 10", "ip link set dev near txqueuelen 1000"},
		{"no address of ours", "198.18.0.0/22", 0, []string{"ip link add name near type veth peer name far", "ip addr add 198.18.4.1/21 dev near"}, nil, (*doctor).own, verdictOK, "none is a target", ""},
		{"an address of ours", "198.18.0.0/22", 0, []string{"ip link add name near type veth peer name far", "ip addr add 198.18.0.1/22 dev near"}, nil, (*doctor).own, verdictWarn, ": 198.18.0.1", "space.exclude"},
		{"no route", "198.18.0.0/22", 0, nil, nil, (*doctor).queue, verdictWarn, "network is unreachable", "ip route get 198.18.0.0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inNetwork(t, append([]string{"ip link set lo up"}, tt.lines...)...)
			if tt.limit != nil {
				tt.limit(t)
			}
			d := doctorOf(t, tt.space, tt.round)
			tt.check(d)
			if len(d.findings) != 1 {
				t.Fatalf("%+v, want one finding", d.findings)
			}
			f := d.findings[0]
			if f.Verdict != tt.want || !strings.Contains(f.Detail, tt.detail) || !strings.Contains(f.Fix, tt.fix) || (f.Fix == "") != (tt.fix == "") {
				t.Errorf("%+v, want %s, %q and a fix that has %q", f, tt.want, tt.detail, tt.fix)
			}
		})
	}
}

// TestDoctorNamesTheBufferToPermit asks for a thousand replies more than the kernel permits a user's socket to hold.
func TestDoctorNamesTheBufferToPermit(t *testing.T) {
	inNetwork(t)
	sysctl(t, "net/ipv4/ping_group_range", "0 2147483647")
	dropPrivileges(t)
	b, err := probe.ICMPReceiveBuffer()
	if err != nil || b.Forced {
		t.Fatalf("%+v, %v", b, err)
	}
	if b.Replies >= b.Most {
		t.Log("net.core.rmem_max permits all that is ever asked for")
		return
	}
	need := min(b.Replies+1000, b.Most)
	d := doctorOf(t, "198.18.0.0/15", time.Duration(131072*longStall/float64(need)*float64(time.Second)))
	d.receiveBuffer()
	var permit int
	f := d.findings[0]
	if _, after, ok := strings.Cut(f.Fix, "rmem_max="); ok {
		fmt.Sscan(after, &permit)
	}
	if f.Verdict != verdictWarn || permit < need*replyCharge/2 || permit > need*replyCharge {
		t.Errorf("%+v: for %d replies", f, need)
	}
}

// replyCharge is what the kernel charges for a reply that nobody has read.
const replyCharge = 768

func TestDoctorPace(t *testing.T) {
	d := doctorOf(t, "10.16.0.0/12", 11*time.Minute)
	d.pace() // 2,097,152 probes in 660 s are more than 200 a second
	d.cfg.Probe.AcknowledgeFast = true
	d.pace() // and nothing caps them any more
	full := doctorOf(t, "10.16.0.0/16", 12*time.Minute)
	full.pace() // nine tenths of it
	d.findings = append(d.findings, full.findings...)
	for i, want := range []finding{
		{"pace", verdictWarn, "2097152 probes a round are 3177.5 a second, and probe.rate is 200", "what cannot be sent in time goes unsent: set probe.round to 2h54m46s or more, or raise probe.rate"},
		{"pace", verdictOK, "2097152 probes a round: 3177.5 a second", ""},
		{"pace", verdictWarn, "131072 probes a round are 182.0 a second of the 200 that probe.rate permits", "an outage would be told late, for retries and confirmations wait for what is left: set probe.round to 13m40s or more, or raise probe.rate"},
	} {
		if d.findings[i] != want {
			t.Errorf("%+v, want %+v", d.findings[i], want)
		}
	}
}

// TestDoctorRouteOfEachFamily has a route of IPv4 and none of IPv6.
func TestDoctorRouteOfEachFamily(t *testing.T) {
	inNetwork(t, "ip link set lo up", "ip route add local 198.18.0.0/15 dev lo")
	d := doctorOf(t, "198.18.0.0/22", 0)
	var err error
	if d.cfg.Targets, err = probe.ParseSpace([]string{"fd00:198:18::/126", "198.18.0.0/22", "198.18.8.0/22"}, nil); err != nil {
		t.Fatal(err)
	}
	d.queue()
	var got []verdict
	for _, f := range d.findings {
		got = append(got, f.Verdict)
	}
	if !slices.Equal(got, []verdict{verdictOK, verdictWarn}) {
		t.Errorf("%+v", d.findings)
	}
}
