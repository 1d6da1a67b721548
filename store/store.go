package store

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Options says how a store is opened. The zero value opens it for writing and makes it where there is none.
type Options struct {
	ReadOnly bool          // shares the file with other readers; never creates it
	Timeout  time.Duration // how long to wait for another process's lock; 0: not at all
	Version  string        // of the program, noted in a store that it creates
	Log      *slog.Logger  // nil: discard

	anySchema bool // an older one too
}

// Store is an open file. It is safe for one writer and many readers.
type Store struct {
	path   string
	opt    Options
	db     *bolt.DB
	file   *os.File
	frames *frames
	meta   meta
	packAt int // how many rounds make a pack

	care    sync.Mutex               // held by what takes long: a deep check, a backup, a rewrite of the file
	swap    sync.RWMutex             // guards db and file, which a compaction replaces; held by reads
	write   sync.Mutex               // held by a change, and by a deep check, which no change may run beside
	touched func(bucket, key []byte) // told of every change, under write; nil: nobody follows
	mu      sync.Mutex
	ended   error // why no change is possible any more: closed, or a change was cut off by a fault
}

// ErrClosed is returned by a store that was closed.
var ErrClosed = errors.New("store is closed")

// Open opens the store at path. Unless it is opened for reading only, it is created where there is no such file.
//
// The errors to tell apart are [ErrLocked], [ErrForeign], [*SchemaError], [*DamagedError], and, of a store opened for
// reading, [fs.ErrNotExist].
func Open(path string, o Options) (*Store, error) {
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	path = resolve(path)
	if _, err := os.Stat(path); !o.ReadOnly && errors.Is(err, fs.ErrNotExist) {
		if err := create(path, o.Version); err != nil {
			return nil, err
		}
	}
	f, err := openLocked(path, o)
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, opt: o, file: f, frames: newFrames(), packAt: packRounds}
	if err := s.open(); err != nil {
		s.abandon()
		return nil, err
	}
	return s, nil
}

// openLocked opens the file and locks it, again if meanwhile another file took its name.
func openLocked(path string, o Options) (*os.File, error) {
	flag := os.O_RDWR
	if o.ReadOnly {
		flag = os.O_RDONLY
	}
	for {
		if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() { // to open a pipe could wait for ever
			return nil, fmt.Errorf("%s is %w: it is no regular file: name another file", path, ErrForeign)
		}
		f, err := os.OpenFile(path, flag, 0)
		if err != nil {
			return nil, explainOpen(path, err)
		}
		opened, err := f.Stat()
		if err == nil {
			err = lock(f, !o.ReadOnly, o.Timeout)
		}
		if err != nil {
			f.Close()
			return nil, err
		}
		if named, err := os.Stat(path); err == nil && os.SameFile(opened, named) {
			return f, nil
		}
		f.Close()
	}
}

// open inspects the file before bbolt sees it, and then whose it is.
func (s *Store) open() error {
	info, err := s.file.Stat()
	if err != nil {
		return explainOpen(s.path, err)
	}
	pages, err := inspectPages(s.file, info.Size(), !s.opt.ReadOnly)
	switch {
	case errors.Is(err, errNoPages):
		return fmt.Errorf("%s is %w: name another file", s.path, ErrForeign)
	case err != nil:
		return &DamagedError{s.path, err}
	case pages.spare != nil:
		s.opt.Log.Warn("one of the store's two meta pages is damaged: the last commit before it was closed may be missing",
			"store", s.path, "error", pages.spare)
	}
	if err := s.guard(s.openBolt); err != nil {
		return err
	}
	if !s.opt.ReadOnly {
		removeCopies(s.path)
	}
	return s.view(func(tx *bolt.Tx) error {
		if err := s.readMeta(tx); err != nil {
			return err
		}
		if err := s.readFrames(tx); err != nil {
			return err
		}
		if _, err := readHead(tx); err != nil {
			return &DamagedError{s.path, err}
		}
		return nil
	})
}

// mapSize is the address space, not memory, reserved for the file's map, so that the writer need not wait for readers to
// end whenever the file outgrows it.
const mapSize = 1 << 30

// growSize is by how much the file grows at a time.
const growSize = 256 << 10

func (s *Store) openBolt() error {
	db, err := openBoltOn(s.path, s.file, s.opt.ReadOnly)
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("store %s is %w: wait for that process to end, or stop it", s.path, ErrLocked)
	case err != nil:
		return &DamagedError{s.path, err}
	}
	s.db = db
	return nil
}

// openBoltOn lets bbolt work on an open file, which it locks and in the end closes.
func openBoltOn(path string, f *os.File, readOnly bool) (*bolt.DB, error) {
	o := &bolt.Options{
		ReadOnly: readOnly, FreelistType: bolt.FreelistMapType, NoStatistics: true, Timeout: time.Second,
		OpenFile: func(string, int, os.FileMode) (*os.File, error) { return f, nil },
	}
	if !readOnly && strconv.IntSize == 64 {
		o.InitialMmapSize = mapSize
	}
	db, err := bolt.Open(path, fileMode, o)
	if err == nil {
		db.AllocSize = growSize
	}
	return db, err
}

// abandon lets go of a store that could not be opened.
func (s *Store) abandon() {
	if s.db != nil && s.guard(s.db.Close) == nil {
		return
	}
	unlock(s.file)
	s.file.Close() // bbolt may have closed it already
}

// Path is the file's name.
func (s *Store) Path() string { return s.path }

// Close waits for reads and changes under way and closes the file.
func (s *Store) Close() error {
	s.write.Lock()
	defer s.write.Unlock()
	s.mu.Lock()
	ended := s.ended
	s.ended = ErrClosed
	s.mu.Unlock()
	switch {
	case errors.Is(ended, ErrClosed):
		return nil
	case ended != nil:
		// A change was cut off inside bbolt, which may hold its own locks for ever.
		unlock(s.file)
		return s.file.Close()
	}
	if err := s.guard(s.db.Close); err != nil {
		return fmt.Errorf("close store %s: %w", s.path, err)
	}
	return nil
}

func (s *Store) usable() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// view runs f in a read transaction, which should be short: it keeps pages from being used again.
func (s *Store) view(f func(tx *bolt.Tx) error) error {
	if err := s.usable(); err != nil {
		return err
	}
	s.swap.RLock()
	defer s.swap.RUnlock()
	err := s.guard(func() error { return s.db.View(f) })
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}

// update runs f in a write transaction. The caller holds s.write.
func (s *Store) update(f func(tx *writeTx) error) error {
	if err := s.usable(); err != nil {
		return err
	}
	if s.opt.ReadOnly {
		return ErrReadOnly
	}
	finished := false
	err := s.guard(func() error {
		err := s.db.Update(func(tx *bolt.Tx) error { return f(&writeTx{tx, s.touched}) })
		finished = true
		return err
	})
	if !finished {
		s.mu.Lock()
		s.ended = err
		s.mu.Unlock()
	}
	var failed *fs.PathError
	if errors.As(err, &failed) && failed.Path == s.file.Name() {
		failed.Path = s.path // after a compaction the open file still has the name that it was written under
	}
	return err
}
