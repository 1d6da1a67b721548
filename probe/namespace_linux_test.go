package probe

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// enterNamespace puts the test's goroutine, for good, into a network namespace of its own with lo up and no way out.
// Only what the goroutine itself opens or executes is in there.
func enterNamespace(t testing.TB) {
	t.Helper()
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		skipUnlessCI(t, "no network namespace of our own: "+err.Error())
	}
	command(t, "ip link set lo up")
}

// skipUnlessCI skips a test for want of a privilege or a program, which on CI is a failure.
func skipUnlessCI(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal("on CI nothing may be skipped: " + why)
	}
	t.Skip(why)
}

// command runs a program and its arguments, split at blanks, in the test's namespace.
func command(t testing.TB, line string) string {
	t.Helper()
	words := strings.Fields(line)
	out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return string(out)
}

// sysctl sets a kernel setting of the test's namespace.
func sysctl(t testing.TB, name, value string) {
	t.Helper()
	if err := os.WriteFile("/proc/sys/"+name, []byte(value), 0o644); err != nil {
		t.Fatal(err)
	}
}
