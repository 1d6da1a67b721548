package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"syscall"
)

// ErrLocked is wrapped by the error of opening a store that another process has open.
var ErrLocked = errors.New("locked by another process")

// ErrForeign is wrapped by the error of opening a file that is not a store of brownout's.
var ErrForeign = errors.New("not a brownout store")

// ErrReadOnly is returned by a change to a store that was opened for reading.
var ErrReadOnly = errors.New("store is open for reading only")

// SchemaError says that a store has another schema than this program's: a newer program wrote it, or an older one.
type SchemaError struct {
	Path             string
	Found, Supported int
	CreatedBy        string // the version that created the file
}

func (e *SchemaError) Error() string {
	by := ""
	if e.CreatedBy != "" {
		by = " (created by brownout " + e.CreatedBy + ")"
	}
	if e.Found < e.Supported {
		return fmt.Sprintf("store %s has schema version %d%s, and this program works on %d: run `brownout store upgrade`", e.Path, e.Found, by, e.Supported)
	}
	return fmt.Sprintf("store %s has schema version %d%s, and this program reads up to %d: run a newer brownout, or name another file", e.Path, e.Found, by, e.Supported)
}

// DamagedError says that a store's file was changed by other hands than ours: a failing disk, a copy that was cut off.
type DamagedError struct {
	Path string
	Err  error
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("store %s is damaged: %v: restore it from a backup, or move it away and a new one will be made", e.Path, e.Err)
}

// Unwrap gives the finding.
func (e *DamagedError) Unwrap() error { return e.Err }

// RecordError says which record cannot be read.
type RecordError struct {
	Bucket, Key string
	Err         error
}

func (e *RecordError) Error() string {
	return fmt.Sprintf("record %s in %s: %v", e.Key, e.Bucket, e.Err)
}

// Unwrap gives the cause.
func (e *RecordError) Unwrap() error { return e.Err }

// guard runs f, which touches bbolt's memory map, and turns a fault or a panic in it into damage. A fault is caught in the
// calling goroutine only, so f must not start others. bbolt panics where a page is not what it should be.
func (s *Store) guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = &DamagedError{s.path, fmt.Errorf("reading it fails: %v", r)}
		}
	}()
	return f()
}

// explainOpen says what to do about an error of the operating system.
func explainOpen(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("store %s does not exist yet: brownout run creates it (%w)", path, fs.ErrNotExist)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("store %s is on a file system that is mounted read-only: mount it writable, or name another file: %w", path, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("store %s may not be opened by user %d: run as the file's owner, or give it to that user: %w", path, os.Getuid(), err)
	}
	return fmt.Errorf("open store: %w", err)
}
