package store

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"brownout/probe"
)

// onDisk runs f with a file system of its own, of so many bytes, in a mount namespace that ends with f.
func onDisk(t *testing.T, size string, f func(dir string)) {
	t.Helper()
	dir := t.TempDir()
	var failed error
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine, and the namespace with it
		if failed = unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS); failed != nil {
			return
		}
		failed = errors.Join(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""), unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size))
		if failed == nil {
			f(dir)
		}
	}()
	<-done
	if errors.Is(failed, syscall.EPERM) && os.Getenv("CI") == "" {
		t.Skip("it may not mount a file system of its own")
	}
	if failed != nil {
		t.Error(failed)
	}
}

// A disk fills up under commits: they fail, say so, and go on once there is room. A compaction without room for the copy
// leaves the store as it is.
func TestDiskFillsUp(t *testing.T) {
	onDisk(t, "1200k", func(dir string) {
		s, err := Open(filepath.Join(dir, "s.db"), Options{})
		if err != nil {
			t.Error(err)
			return
		}
		defer s.Close()
		ballast := filepath.Join(dir, "ballast")
		if err := os.WriteFile(ballast, make([]byte, 400<<10), 0o600); err != nil {
			t.Error(err)
			return
		}
		n := 0
		for ; err == nil && n < 100; n++ {
			err = s.Commit(Commit{Sealed: []*probe.Round{somePopulation(t, n)}, Detector: make([]byte, 30_000*(n+1))})
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("after %d rounds: %v", n, err)
		}
		if _, _, err := s.Compact(nil); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("compact: %v", err)
		}
		if got := len(collect(t, s, 0, 1<<60, false)); got != n-1 {
			t.Errorf("%d rounds, want %d", got, n-1)
		}
		if err := os.Remove(ballast); err != nil {
			t.Error(err)
		}
		if err := errors.Join(s.Commit(Commit{Sealed: []*probe.Round{somePopulation(t, n)}}), s.Verify(nil)); err != nil {
			t.Errorf("with room again: %v", err)
		}
	})
}

// Who cannot write is told of the store's file, though a compaction wrote it under another name.
func TestDiskFillsUpAfterCompaction(t *testing.T) {
	onDisk(t, "1200k", func(dir string) {
		path := filepath.Join(dir, "s.db")
		s, err := Open(path, Options{})
		if err != nil {
			t.Error(err)
			return
		}
		defer s.Close()
		err = s.Commit(Commit{Detector: make([]byte, 200_000)})
		if err == nil {
			err = s.Commit(Commit{Detector: make([]byte, 100)})
		}
		if before, after, errCompact := s.Compact(nil); err != nil || errCompact != nil || after >= before {
			t.Errorf("%d bytes become %d, %v, %v", before, after, err, errCompact)
		}
		wantError(t, s.Commit(Commit{Detector: make([]byte, 2_000_000)}), syscall.ENOSPC, "write "+path+": no space")
	})
}

// On a read-only file system a store can be read, and a writer is told why not.
func TestReadOnlyFileSystem(t *testing.T) {
	onDisk(t, "4m", func(dir string) {
		path := filepath.Join(dir, "s.db")
		s, err := Open(path, Options{})
		if err == nil {
			err = errors.Join(s.Commit(Commit{Sealed: outageRounds(t, 3)}), s.Close(), unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
		}
		if err != nil {
			t.Error(err)
			return
		}
		_, err = Open(path, Options{})
		wantError(t, err, syscall.EROFS, "mounted read-only", "another file")
		r, err := Open(path, Options{ReadOnly: true})
		if err != nil {
			t.Error(err)
			return
		}
		if n := len(collect(t, r, 0, 1<<60, false)); n != 3 {
			t.Errorf("%d rounds", n)
		}
		if err := errors.Join(r.Verify(nil), r.Close()); err != nil {
			t.Error(err)
		}
	})
}
