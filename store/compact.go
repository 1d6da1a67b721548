package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	bolt "go.etcd.io/bbolt"
)

// Compact copies the store to a new file, without the room that is free in the old one, and puts it in the old one's place.
// Whoever has the store open goes on with the new file: reads and commits run on while it is copied, and wait for the last
// step only, in which what was committed meanwhile is copied too. After a kill or a power loss at any moment the old file or
// the new one is there, whole. Progress, if not nil, is told of records copied and to be copied.
//
// A copy that is no smaller is thrown away, and the old file stays. It returns the sizes of the file before and after.
func (s *Store) Compact(progress func(done, total int)) (before, after int64, err error) {
	if s.opt.ReadOnly {
		return 0, 0, ErrReadOnly
	}
	before, after, err = s.rewrite(progress, (*compaction).gains)
	var same noGain
	switch {
	case errors.As(err, &same):
		return int64(same), int64(same), nil
	case err != nil:
		return 0, 0, fmt.Errorf("compact store %s: %w", s.path, err)
	}
	return before, after, nil
}

// noGain says that a copy is no smaller than the old file, whose size it is.
type noGain int64

func (n noGain) Error() string { return fmt.Sprintf("a copy is no smaller than %d bytes", int64(n)) }

// gains is noGain where the copy is no smaller.
func (c *compaction) gains() error {
	info, err := c.file.Stat()
	if err == nil && info.Size() >= c.before {
		err = noGain(c.before)
	}
	return err
}

// rewrite copies the store to a new file, changes that where it is to be changed, and puts it in the old one's place. It
// returns the sizes of the two.
func (s *Store) rewrite(progress func(done, total int), change func(*compaction) error) (before, after int64, err error) {
	s.care.Lock()
	defer s.care.Unlock()
	old, err := s.file.Stat()
	if err != nil {
		return 0, 0, err
	}
	c := &compaction{store: s, progress: progress, touched: map[place]struct{}{}, before: old.Size()}
	defer c.end()
	if err = c.begin(old); err == nil {
		err = c.copy()
	}
	if err == nil && change != nil {
		err = change(c)
	}
	if err == nil {
		err = c.takePlace()
	}
	if err != nil {
		return 0, 0, err
	}
	info, err := s.file.Stat()
	if err != nil {
		return 0, 0, err
	}
	return old.Size(), info.Size(), nil
}

// place names a record.
type place struct{ bucket, key string }

// compaction is a copy that is being made.
type compaction struct {
	store    *Store
	progress func(done, total int)
	tx       *bolt.Tx           // of the old file, as of the beginning
	file     *os.File           // the new one
	db       *bolt.DB           // on it
	before   int64              // bytes of the old file at the beginning
	placed   bool               // it has taken the old one's place
	touched  map[place]struct{} // what was written since
}

// copyPattern matches the files that compactions of a store write, aside.
func copyPattern(path string) string { return "." + filepath.Base(path) + ".compact-*" }

// removeCopies removes what a compaction left that was killed. The caller holds the store's lock, so none is under way.
func removeCopies(path string) {
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), copyPattern(path))) // a path that is a malformed pattern leaves them
	for _, name := range left {
		os.Remove(name)
	}
}

// begin makes the new file, and from one moment on both sees the old one as it is and follows its changes.
func (c *compaction) begin(old os.FileInfo) error {
	s := c.store
	f, err := os.CreateTemp(filepath.Dir(s.path), copyPattern(s.path))
	if err != nil {
		return err
	}
	c.file = f
	if st, ok := old.Sys().(*syscall.Stat_t); ok {
		_ = f.Chown(int(st.Uid), int(st.Gid)) // only root may, and only root needs to
	}
	if c.db, err = openBoltOn(f.Name(), f, false); err != nil {
		return err
	}
	c.db.NoSync = true // it is synced before it takes the old one's place
	s.write.Lock()
	defer s.write.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	s.touched = func(bucket, key []byte) { c.touched[place{string(bucket), string(key)}] = struct{}{} }
	return s.guard(func() (err error) {
		c.tx, err = s.db.Begin(false)
		return err
	})
}

// end lets go of the copy. One that has not taken the old one's place is removed.
func (c *compaction) end() {
	s := c.store
	s.write.Lock()
	s.touched = nil
	s.write.Unlock()
	c.endTx()
	if c.placed || c.file == nil {
		return
	}
	os.Remove(c.file.Name())
	if c.db != nil {
		_ = s.guard(c.db.Close)
	}
	c.file.Close() // bbolt may have closed it already
}

func (c *compaction) endTx() {
	if c.tx != nil {
		_ = c.store.guard(c.tx.Rollback) // of a read there is nothing to fail
		c.tx = nil
	}
}

// copyBytes is how much one transaction of a copy writes.
const copyBytes = 1 << 20

// copy copies every record, with its checksum checked, in order of key, so that pages are filled.
func (c *compaction) copy() error {
	return c.store.guard(func() error {
		total, done := 0, 0
		var names [][]byte
		for _, name := range bucketNames {
			if b := c.tx.Bucket(name); b != nil { // else it is of a later schema
				names = append(names, name)
				total += b.Stats().KeyN
			}
		}
		for _, name := range names {
			err := copyBucket(c.db, c.tx.Bucket(name), name, func() {
				if done++; c.progress != nil && (done%256 == 0 || done == total) {
					c.progress(done, total)
				}
			})
			if err != nil {
				return err
			}
		}
		return c.db.Sync()
	})
}

// copyBucket copies a bucket in several transactions.
func copyBucket(to *bolt.DB, from *bolt.Bucket, name []byte, copied func()) error {
	cursor := from.Cursor()
	for k, v := cursor.First(); ; {
		err := to.Update(func(tx *bolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists(name)
			if err != nil {
				return err
			}
			b.FillPercent = 1
			for size := 0; k != nil && size < copyBytes; k, v = cursor.Next() {
				if _, err := unseal(name, k, v); err != nil {
					return err
				}
				if err := b.Put(k, v); err != nil {
					return err
				}
				size += len(k) + len(v)
				copied()
			}
			return nil
		})
		if err != nil || k == nil {
			return err
		}
	}
}

// takePlace copies what was written meanwhile, and puts the new file in the old one's place.
func (c *compaction) takePlace() error {
	s := c.store
	s.write.Lock()
	defer s.write.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	if err := s.guard(c.followUp); err != nil {
		return err
	}
	c.endTx() // reads of the old file end before it is closed
	s.swap.Lock()
	defer s.swap.Unlock()
	if err := os.Rename(c.file.Name(), s.path); err != nil {
		return err
	}
	c.placed = true
	old := s.db
	c.db.NoSync = s.db.NoSync
	s.db, s.file = c.db, c.file
	return errors.Join(syncDir(filepath.Dir(s.path)), s.guard(old.Close))
}

// followUp copies the records that were touched since the copy began.
func (c *compaction) followUp() error {
	err := c.store.db.View(func(from *bolt.Tx) error {
		return c.db.Update(func(to *bolt.Tx) error {
			for r := range c.touched {
				if err := follow(from.Bucket([]byte(r.bucket)), to.Bucket([]byte(r.bucket)), []byte(r.key)); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return cmpErr(err, c.db.Sync())
}

func follow(from, to *bolt.Bucket, key []byte) error {
	if v := from.Get(key); v != nil {
		return to.Put(key, v)
	}
	return to.Delete(key)
}
