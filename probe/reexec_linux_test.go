package probe

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

const childOf = "BROWNOUT_TEST_IN_NAMESPACE"

// inNamespace reports whether the test runs in a process whose every thread is in a network namespace of its own, with
// 198.18.0.0/22 and fd00:198:18::/64 on lo and no way out. If not, it runs the test there, as a child, and passes its
// verdict on. Unlike enterNamespace it confines every goroutine, like a sweeper's, which opens the sockets of TCP.
func inNamespace(t *testing.T) bool {
	t.Helper()
	if os.Getenv(childOf) == t.Name() {
		command(t, "ip link set lo up")
		command(t, "ip route add local 198.18.0.0/22 dev lo")
		command(t, "ip -6 route add local fd00:198:18::/64 dev lo")
		sysctl(t, "net/ipv6/ip_nonlocal_bind", "1")
		return true
	}
	limit := "60s"
	if *long {
		limit = "1h"
	}
	child := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout="+limit,
		fmt.Sprintf("-long=%t", *long), fmt.Sprintf("-step-clock=%t", *stepClock))
	child.Env = append(os.Environ(), childOf+"="+t.Name(), "GORACE=atexit_sleep_ms=0") // the race detector's second
	child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		child.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		child.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		child.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	var out bytes.Buffer
	child.Stdout, child.Stderr = &out, &out
	if err := child.Start(); err != nil {
		skipUnlessCI(t, "no network namespace of our own: "+err.Error())
	}
	if err := child.Wait(); err != nil {
		t.Fatalf("in the namespace: %v\n%s", err, out.Bytes())
	}
	if bytes.Contains(out.Bytes(), []byte("--- SKIP: "+t.Name()+" ")) {
		t.Skipf("%s", out.Bytes())
	}
	if testing.Verbose() {
		t.Logf("in the namespace:\n%s", out.Bytes())
	}
	return false
}
