package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"brownout/probe"
)

// Stats is what a store holds.
type Stats struct {
	Path      string
	FileSize  int64 // bytes
	Schema    int
	CreatedBy string // version of the program that created it
	Rounds    int    // of all kinds
	Open      int    // of these, still under way at the last commit
	First     probe.Instant
	Last      probe.Instant // starts of the first and last; 0 if there is none
	Outages   int
	Cursor    probe.Instant // everything seen before it has been judged; 0: nothing
}

// Stats reads what the store holds.
func (s *Store) Stats() (Stats, error) {
	st := Stats{Path: s.path, Schema: s.meta.schema, CreatedBy: s.meta.createdBy}
	err := s.view(func(tx *bolt.Tx) error {
		h, err := readHead(tx)
		st.Rounds, st.Open, st.Outages, st.Cursor = int(h.rounds), len(h.open), int(h.outages), h.cursor
		st.First, st.Last = h.first.start, h.last.start
		if err != nil {
			return err
		}
		info, err := s.file.Stat()
		if err == nil {
			st.FileSize = info.Size()
		}
		return err
	})
	if err != nil {
		return Stats{}, fmt.Errorf("read store %s: %w", s.path, err)
	}
	return st, nil
}

// Epoch is a time from which on full rounds swept a space.
type Epoch struct {
	From  probe.Instant
	Space probe.Space
}

// Spaces is the spaces swept by full rounds, by time.
func (s *Store) Spaces() ([]Epoch, error) {
	var epochs []Epoch
	err := s.view(func(tx *bolt.Tx) error {
		epochs = nil
		h, err := readHead(tx)
		if err != nil {
			return err
		}
		err = each(tx, bucketEpochs, func(k, v []byte) error {
			if len(k) != 8 || len(v) != 4 {
				return damagedRecord(bucketEpochs, k, errors.New("malformed epoch"))
			}
			space, ok := s.frames.space(uint64(binary.BigEndian.Uint32(v)))
			if !ok {
				return damagedRecord(bucketEpochs, k, errors.New("names no space"))
			}
			epochs = append(epochs, Epoch{parseTime(k), space})
			return nil
		})
		if err == nil && uint64(len(epochs)) != h.epochs {
			err = countError(bucketEpochs, len(epochs), h.epochs)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read spaces: %w", err)
	}
	return epochs, nil
}
