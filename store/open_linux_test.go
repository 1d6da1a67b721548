package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// asNobody runs f with the file permissions of one who is not root.
func asNobody(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if os.Getuid() == 0 {
			unix.SetfsuidRetUid(65534)
		}
		f()
	}()
	<-done
}

func TestNotPermitted(t *testing.T) {
	s := openTest(t)
	closeVerified(t, s)
	dir := filepath.Dir(s.Path())
	if err := os.Chmod(s.Path(), 0); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(dir, 0o555), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(dir, 0o755) })
	asNobody(func() {
		_, err := Open(filepath.Join(dir, "other.db"), Options{})
		wantError(t, err, fs.ErrPermission, "not writable", dir)
		_, err = Open(s.Path(), Options{ReadOnly: true})
		wantError(t, err, fs.ErrPermission, "may not be opened", "owner")
	})
}

// TestOpenPipe: to open a pipe would wait for a writer.
func TestOpenPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(path, Options{ReadOnly: true})
	wantError(t, err, ErrForeign, path, "no regular file")
}
