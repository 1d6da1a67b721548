package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
)

// Backup writes a copy of the store, as of one moment, to path, where there must be no file yet: whole, or not at all.
// Commits go on meanwhile.
func (s *Store) Backup(path string) error {
	err := WriteNew(path, func(f *os.File) error { return s.BackupTo(f) })
	if err != nil {
		return fmt.Errorf("back up store %s to %s: %w", s.path, path, err)
	}
	return nil
}

// BackupTo writes a copy of the store, as of one moment. A reader that is slow keeps pages from being used again.
func (s *Store) BackupTo(w io.Writer) error {
	s.care.Lock()
	defer s.care.Unlock()
	tx, metas, err := s.still()
	if err != nil {
		return err
	}
	return s.guard(func() error {
		defer tx.Rollback() // of a read there is nothing to fail
		if _, err := w.Write(metas); err != nil {
			return err
		}
		from := int64(len(metas))
		_, err := io.Copy(w, io.NewSectionReader(s.file, from, tx.Size()-from))
		return err
	})
}

// still begins a transaction that keeps the pages as they are, and reads the two meta pages as of its beginning, which
// bbolt's own WriteTo would not give back as they stand.
func (s *Store) still() (tx *bolt.Tx, metas []byte, err error) {
	s.write.Lock()
	defer s.write.Unlock()
	if err := s.usable(); err != nil {
		return nil, nil, err
	}
	if err := s.guard(func() (err error) { tx, err = s.db.Begin(false); return err }); err != nil {
		return nil, nil, err
	}
	metas = make([]byte, 2*s.db.Info().PageSize)
	if _, err := s.file.ReadAt(metas, 0); err != nil {
		tx.Rollback() // of a read there is nothing to fail
		return nil, nil, err
	}
	return tx, metas, nil
}

// WriteNew makes a file that must not exist yet by letting fill write it: whole and synced, or not at all.
func WriteNew(path string, fill func(*os.File) error) error {
	if _, err := os.Lstat(path); err == nil { // before a whole store is written for nothing
		return &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".new-*") // its mode is 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	err = fill(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil { // which fails where there is a file by now
		return &fs.PathError{Op: "create", Path: path, Err: errors.Unwrap(err)} // without the name it had aside
	}
	return syncDir(dir)
}
