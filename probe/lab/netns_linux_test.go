package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"

	"brownout/probe"

	"golang.org/x/sys/unix"
)

// programOf names, in the environment, what the test binary does instead of running tests.
const programOf = "LAB_TEST_PROGRAM"

// programs are what a re-executed binary does inside its namespace; the result is its exit code.
var programs = map[string]func() int{
	"exit": func() int {
		io.Copy(os.Stdout, os.Stdin)
		fmt.Fprintln(os.Stderr, "talk")
		return 7
	},
	"wait": func() int {
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, unix.SIGTERM)
		fmt.Println("ready", os.Getpid())
		<-signals
		return 9
	},
	"die": func() int {
		unix.Kill(os.Getpid(), unix.SIGKILL)
		select {}
	},
	"sweep": sweepProgram,
}

// sweepProgram sweeps a lab of its own and prints what answered.
func sweepProgram() int {
	s, err := Builtin("one-block-dark")
	if err != nil {
		return fail(err)
	}
	w, err := NewWorld(s)
	if err != nil {
		return fail(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	clock := probe.NewScaledClock(ctx, s.Start.Time(), 1)
	l, err := Serve(ctx, Config{World: w, Clock: clock})
	if err != nil {
		return fail(err)
	}
	defer l.Close()
	sweeper, err := probe.OpenSweeper(probe.SweeperConfig{Clock: clock, ICMP: probe.ICMPDatagram}, []probe.Protocol{probe.ICMP})
	if err != nil {
		return fail(err)
	}
	defer sweeper.Close()
	references, err := probe.SpaceOfAddrs(s.References...)
	if err != nil {
		return fail(err)
	}
	sweep, err := sweeper.Start(ctx, probe.Order{Space: references, Aims: []probe.Aim{{Protocol: probe.ICMP, Targets: references}}})
	if err != nil {
		return fail(err)
	}
	<-sweep.Sent()
	round, _ := sweep.Round()
	fmt.Println(len(round.Passes[0].Answers), "of", len(s.References), "answered")
	return 0
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func TestMain(m *testing.M) {
	name := os.Getenv(programOf)
	if name == "" {
		os.Exit(Run(m))
	}
	inside, code, err := Namespace()
	switch {
	case err != nil:
		code = 100 + fail(err)
	case inside:
		code = programs[name]()
	}
	os.Exit(code)
}

// reexec is this binary, to run a program of the table in a namespace below ours.
func reexec(t *testing.T, program string) *exec.Cmd {
	t.Helper()
	if !Inside() {
		skipUnlessCI(t, "no network namespace of our own")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), programOf+"="+program)
	return cmd
}

func TestStreamsAndExitCodePassThrough(t *testing.T) {
	cmd := reexec(t, "exit")
	var stdout, stderr strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader("data"), &stdout, &stderr
	err := cmd.Run()
	if got := exitCodeOf(err); got != 7 || stdout.String() != "data" || stderr.String() != "talk\n" {
		t.Errorf("exit code %d (%v), stdout %q, stderr %q", got, err, &stdout, &stderr)
	}
}

func TestAProgramKilledInsideSaysSo(t *testing.T) {
	if got := exitCodeOf(reexec(t, "die").Run()); got != 128+int(unix.SIGKILL) {
		t.Errorf("exit code %d, want 137", got)
	}
}

// startWaiting starts the waiting program and returns it and the process inside.
func startWaiting(t *testing.T) (*exec.Cmd, int) {
	t.Helper()
	cmd := reexec(t, "wait")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err, cmd.Wait())
	}
	var pid int
	if _, err := fmt.Sscanf(line, "ready %d", &pid); err != nil {
		t.Fatal(err)
	}
	if pid == cmd.Process.Pid {
		t.Fatal("the program did not run again")
	}
	return cmd, pid
}

func TestSignalsPassThrough(t *testing.T) {
	cmd, _ := startWaiting(t)
	if err := cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := exitCodeOf(cmd.Wait()); got != 9 {
		t.Errorf("exit code %d, want 9", got)
	}
}

func TestTheProgramInsideDiesWithTheOneOutside(t *testing.T) {
	cmd, pid := startWaiting(t)
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(poll, 10_000)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if n != 1 || err != nil {
			t.Errorf("process %d lives on: %d, %v", pid, n, err)
		}
		return
	}
}

// A user without privileges gets a lab where the TUN device is open to all. The test makes such a device in a mount
// namespace.
func TestAUserWithoutPrivilegesGetsALab(t *testing.T) {
	if os.Geteuid() != 0 {
		skipUnlessCI(t, "only root can make a TUN device for others")
	}
	need(t, "unshare")
	need(t, "setpriv")
	cmd := reexec(t, "sweep")
	dir := t.TempDir()
	for _, d := range []string{dir, dir + "/.."} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	exe := dir + "/program"
	if out, err := exec.Command("cp", cmd.Path, exe).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name, c := range map[string]struct{ mode, want string }{
		"open":   {"666", "3 of 3 answered\n"},
		"closed": {"600", "open /dev/net/tun: permission denied\n"},
	} {
		t.Run(name, func(t *testing.T) {
			script := "mount -t tmpfs none /dev/net && mknod -m " + c.mode + " /dev/net/tun c 10 200 && exec setpriv --reuid 65534 --regid 65534 --clear-groups " + exe
			user := exec.Command("unshare", "-m", "sh", "-c", script)
			user.Env, user.Dir = slices.Clone(cmd.Env), "/"
			out, err := user.CombinedOutput()
			if string(out) != c.want {
				t.Errorf("it says %q (%v), want %q", out, err, c.want)
			}
		})
	}
}
