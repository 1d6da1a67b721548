package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Backup writes a copy of the store to path, where there must be no file yet: whole, or not at all. Changes wait for it.
func (s *Store) Backup(path string) error {
	s.write.Lock()
	defer s.write.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".new-*") // its mode is 0600
	if err != nil {
		return fmt.Errorf("back up store %s: %w", s.path, err)
	}
	defer os.Remove(f.Name())
	err = s.copyTo(f)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Link(f.Name(), path) // which fails where there is a file
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("back up store %s to %s: %w", s.path, path, err)
	}
	return nil
}

// copyTo copies the file, which nobody changes while s.write is held.
func (s *Store) copyTo(f *os.File) error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, io.NewSectionReader(s.file, 0, info.Size())); err != nil {
		return err
	}
	return f.Sync()
}
