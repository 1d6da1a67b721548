package store

import (
	"encoding/binary"
	"fmt"
)

// InUse is how many bytes of the file's pages hold something; the rest is room for what comes.
func (s *Store) InUse() (int64, error) {
	s.write.Lock()
	defer s.write.Unlock()
	if err := s.usable(); err != nil {
		return 0, err
	}
	info, err := s.file.Stat()
	if err != nil {
		return 0, fmt.Errorf("read store %s: %w", s.path, err)
	}
	f := &pageFile{r: s.file, size: info.Size()}
	if err := f.readMetas(); err != nil {
		return 0, &DamagedError{s.path, err}
	}
	free, err := f.countFree()
	if err != nil {
		return 0, &DamagedError{s.path, err}
	}
	return int64(f.meta.pages-min(free, f.meta.pages)) * int64(f.meta.pageSize), nil
}

// countFree reads how many pages are free.
func (f *pageFile) countFree() (uint64, error) {
	var b [pageHeader + 8]byte
	if _, err := f.r.ReadAt(b[:], int64(f.meta.freelist)*int64(f.meta.pageSize)); err != nil {
		return 0, fmt.Errorf("free list: %w", err)
	}
	if n := binary.LittleEndian.Uint16(b[10:]); n != 0xFFFF {
		return uint64(n), nil
	}
	return binary.LittleEndian.Uint64(b[pageHeader:]), nil
}
