package agent

import (
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// tellSystemd tells the service manager something, where there is one (sd_notify(3)). Nothing depends on its hearing it.
func tellSystemd(state string) { _, _ = daemon.SdNotify(false, state) }

// watchdogPatience is how long an agent may stand still: what a vantage in doubt holds up is no reason.
func watchdogPatience(round time.Duration) time.Duration { return 3*round + 10*time.Minute }

// watchdogPeriod lets the service manager restart an agent that completes no round for so long.
func watchdogPeriod(round time.Duration) string {
	return fmt.Sprintf("WATCHDOG_USEC=%d", watchdogPatience(round).Microseconds())
}

// roundDone feeds the watchdog: nothing else does.
func roundDone(status string) { tellSystemd("WATCHDOG=1\nSTATUS=" + status) }

// reloading is what a service that reloads says first, with the time on the clock that sd_notify(3) wants.
func reloading() string {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) // it exists everywhere
	return fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", t.Nano()/1000)
}
