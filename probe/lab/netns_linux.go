package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// marker is the environment variable by which the program knows itself again inside the namespace.
const marker = "BROWNOUT_LAB_NAMESPACE"

// entered reports, once and for all, whether this process was started by Namespace. The marker goes, so that the programs
// started from here enter namespaces of their own.
var entered = sync.OnceValue(func() bool {
	inside := os.Getenv(marker) != ""
	os.Unsetenv(marker)
	return inside
})

// Inside reports whether this process runs in a network namespace that [Namespace] made.
func Inside() bool { return entered() }

// Namespace runs the program once more, with the same arguments, streams and signals, inside a network namespace of its
// own: as root in a plain one, as anyone else in one of a user namespace. It is to be called first of all from main:
//
//   - inside that namespace it returns true at once;
//   - outside it returns, false, when the program inside has ended, with the exit code to pass on;
//   - where no namespace can be had it returns false and an error, and the program goes on in process.
//
// The program inside dies with the one outside.
func Namespace() (inside bool, exitCode int, err error) {
	if Inside() {
		return true, 0, nil
	}
	if err := Available(); err != nil {
		return false, 0, err
	}
	// The death of the thread that started the child counts as the parent's: it must not be given back.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd, err := startInside()
	if err != nil {
		return false, 0, fmt.Errorf("enter a network namespace: %w", err)
	}
	stop := passSignals(cmd.Process)
	defer stop()
	return false, exitCodeOf(cmd.Wait()), nil
}

// startInside tries a plain namespace as root, then one of a user namespace: root in a container may have only that.
func startInside() (*exec.Cmd, error) {
	var errs []error
	if os.Geteuid() == 0 {
		cmd := again(&syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET})
		err := cmd.Start()
		if err == nil {
			return cmd, nil
		}
		errs = append(errs, err)
	}
	cmd := again(&syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
	})
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(append(errs, err)...)
	}
	return cmd, nil
}

// again is this program with its own arguments.
func again(attr *syscall.SysProcAttr) *exec.Cmd {
	attr.Pdeathsig = syscall.SIGKILL
	return &exec.Cmd{
		Path: "/proc/self/exe", Args: os.Args, Env: append(os.Environ(), marker+"=1"),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, SysProcAttr: attr,
	}
}

// passSignals hands what is sent to this process to the one inside, but for what the terminal sends to both.
func passSignals(child *os.Process) (stop func()) {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGWINCH)
	var passing sync.WaitGroup
	passing.Go(func() {
		for s := range signals {
			if !fromTerminal(s) {
				child.Signal(s) // fails when the child is gone: then there is nobody to tell
			}
		}
	})
	return func() {
		signal.Stop(signals)
		close(signals)
		passing.Wait()
	}
}

// fromTerminal reports whether a signal is one that the terminal sends to its whole foreground group, and we are in it.
func fromTerminal(s os.Signal) bool {
	if s != unix.SIGINT && s != unix.SIGQUIT && s != unix.SIGWINCH && s != unix.SIGHUP {
		return false
	}
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer tty.Close()
	foreground, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && foreground == unix.Getpgrp()
}

// exitCodeOf is the shell's convention: the program's own code, or 128 and the signal that ended it.
func exitCodeOf(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &exit):
		return 1
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return exit.ExitCode()
}

// Available says why a lab of real packets cannot be had here; nil where nothing stands in the way. What a container's
// policy forbids only shows when [Namespace] tries.
func Available() error {
	fd, err := unix.Open(tunPath, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", tunPath, err)
	}
	unix.Close(fd)
	if os.Geteuid() == 0 {
		return nil
	}
	limit, err := os.ReadFile("/proc/sys/user/max_user_namespaces")
	if err != nil || len(limit) == 0 || limit[0] == '0' {
		return errors.New("this kernel gives no user namespaces to users")
	}
	return nil
}
