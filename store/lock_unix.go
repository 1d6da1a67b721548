//go:build unix && !solaris && !aix

package store

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

const lockRetry = 20 * time.Millisecond

// lock takes the lock that bbolt takes, so that a file is inspected by whoever will open it. bbolt's own call on the same
// open file then succeeds at once.
func lock(f *os.File, exclusive bool, timeout time.Duration) error {
	how := syscall.LOCK_SH
	if exclusive {
		how = syscall.LOCK_EX
	}
	for end := time.Now().Add(timeout); ; time.Sleep(lockRetry) {
		err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("lock store %s: %w", f.Name(), err)
		}
		if !time.Now().Before(end) {
			return fmt.Errorf("store %s is %w%s: wait for that process to end, or stop it", f.Name(), ErrLocked, holder(f))
		}
	}
}

// unlock lets go of the lock at once: a map of the file that bbolt left behind would hold it on.
func unlock(f *os.File) { _ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }
