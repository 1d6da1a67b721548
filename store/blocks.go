package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"brownout/probe"
)

// block is what is kept of a block beside its records: enough to miss those that were lost.
type block struct {
	id      uint64
	name    string
	changes uint64 // how many there are, numbered from 0
	chunked bool   // whether there are summaries
	last    key    // of their last chunk
	dated   bool   // whether there are hours
	lastDay probe.Instant
	pruned  bool // whether there were older summaries
	touched bool

	tail   *chunk // the last chunk, while it is appended to; nil: not read yet
	tailed bool   // whether it was
}

// blockVersion is 2 with hours, and 1 as it was before there were any.
const blockVersion = 2

func appendBlock(b []byte, bl *block) []byte {
	b = append(b, blockVersion)
	b = binary.AppendUvarint(b, bl.changes)
	if bl.chunked {
		b = append(append(b, 1), bl.last.bytes()...)
	} else {
		b = append(b, 0)
	}
	if bl.dated {
		b = append(append(b, 1), timeKey(bl.lastDay)...)
	} else {
		b = append(b, 0)
	}
	if bl.pruned {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(bl.name)))
	return append(b, bl.name...)
}

func decodeBlock(b []byte) (*block, error) {
	in := reader{b: b}
	version := in.byte()
	if (version < 1 || version > blockVersion) && in.err == nil {
		return nil, fmt.Errorf("block encoding %d is not known", version)
	}
	bl := &block{changes: in.uvarint()}
	if bl.chunked = in.truth(); bl.chunked {
		bl.last = in.key()
	}
	if version > 1 {
		if bl.dated = in.truth(); bl.dated {
			bl.lastDay = in.instant()
		}
		bl.pruned = in.truth()
	}
	bl.name = in.text()
	return bl, in.end()
}

// truth reads 0 or 1.
func (r *reader) truth() bool {
	v := r.byte()
	if v > 1 {
		r.fail(errors.New("neither 0 nor 1 where one of them belongs"))
	}
	return v == 1
}

// instant reads a time as timeKey writes it.
func (r *reader) instant() probe.Instant {
	b := r.bytes(8)
	if b == nil {
		return 0
	}
	return parseTime(b)
}

// blocks is all blocks of a store, within a transaction.
type blocks struct {
	list   []*block
	byName map[string]*block
}

func readBlocks(tx *bolt.Tx, h *head) (*blocks, error) {
	all := &blocks{byName: map[string]*block{}}
	err := each(tx, bucketBlocks, func(k, v []byte) error {
		bl, err := decodeBlock(v)
		if err != nil || string(k) != string(numberKey(uint64(len(all.list)))) {
			return damagedRecord(bucketBlocks, k, cmpErr(err, errNumber))
		}
		bl.id = uint64(len(all.list))
		all.list = append(all.list, bl)
		all.byName[bl.name] = bl
		return nil
	})
	if err == nil && uint64(len(all.list)) != h.blocks {
		err = countError(bucketBlocks, len(all.list), h.blocks)
	}
	return all, err
}

// add finds a block by name, or makes one.
func (all *blocks) add(name string) *block {
	bl, ok := all.byName[name]
	if !ok {
		bl = &block{id: uint64(len(all.list)), name: name}
		all.list = append(all.list, bl)
		all.byName[name] = bl
	}
	bl.touched = true
	return bl
}

// write writes the blocks that were touched.
func (all *blocks) write(tx *writeTx, h *head) error {
	for _, bl := range all.list {
		if bl.touched {
			if err := tx.put(bucketBlocks, numberKey(bl.id), appendBlock(nil, bl)); err != nil {
				return err
			}
		}
	}
	h.blocks = uint64(len(all.list))
	return nil
}

// countError says that records of a bucket are missing.
func countError(bucket []byte, found int, want uint64) error {
	return fmt.Errorf("bucket %s has %d records, and should have %d", bucket, found, want)
}

// Blocks is the names of all blocks that anything is known of, in the order in which they were first met.
func (s *Store) Blocks() ([]string, error) {
	var names []string
	err := s.view(func(tx *bolt.Tx) error {
		names = nil
		all, err := readHeadAndBlocks(tx)
		if err != nil {
			return err
		}
		for _, bl := range all.list {
			names = append(names, bl.name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read blocks: %w", err)
	}
	return names, nil
}

func readHeadAndBlocks(tx *bolt.Tx) (*blocks, error) {
	h, err := readHead(tx)
	if err != nil {
		return nil, err
	}
	return readBlocks(tx, &h)
}

// readBlock is a block by its name; nil: there is none, or the error.
func readBlock(tx *bolt.Tx, name string) (*block, error) {
	all, err := readHeadAndBlocks(tx)
	if err != nil {
		return nil, err
	}
	return all.byName[name], nil
}
