package store

import (
	bolt "go.etcd.io/bbolt"
)

const (
	packRounds = maxPack   // that many make a pack
	packBytes  = 256 << 10 // or fewer that have so many bytes together
	loose      = 8         // so many of the last rounds stand alone, for they may still be written again
)

// packTail packs the sealed rounds that stand alone at the end, once they are enough.
func (s *Store) packTail(tx *writeTx) error {
	for {
		run, enough, err := s.looseRun(tx.Tx)
		if err != nil || !enough {
			return err
		}
		if err := s.pack(tx, run); err != nil {
			return err
		}
	}
}

// looseRun is the keys of the oldest of the sealed rounds that stand alone after the last pack, and whether they make a pack.
func (s *Store) looseRun(tx *bolt.Tx) (run []key, enough bool, err error) {
	c := tx.Bucket(bucketRounds).Cursor()
	var keys []key // newest first
	var sizes []int
	for k, v := c.Last(); k != nil; k, v = c.Prev() {
		id, value, err := openRound(k, v)
		if err != nil {
			return nil, false, err
		}
		if isPack(value) {
			break
		}
		keys, sizes = append(keys, id), append(sizes, len(v))
		if !sealedFlag(value) {
			keys, sizes = keys[:0], sizes[:0]
		}
	}
	total := 0
	for i := len(keys) - 1; i >= loose; i-- {
		run = append(run, keys[i])
		if total += sizes[i]; len(run) == s.packAt || total >= packBytes && len(run) > 1 {
			return run, true, nil
		}
	}
	return nil, false, nil
}

// sealedFlag reads from an encoded record whether it is sealed.
func sealedFlag(value []byte) bool {
	in := reader{b: value}
	in.byte()
	return in.uvarint()&flagSealed != 0
}

// pack puts rounds that stand alone, one after the other, into a pack.
func (s *Store) pack(tx *writeTx, run []key) error {
	records := make([]*record, len(run))
	for i, k := range run {
		var err error
		if records[i], err = s.lookup(tx.Tx, k); err != nil {
			return err
		}
	}
	value, err := appendPack(nil, records, s.frames)
	if err != nil {
		return err
	}
	for _, k := range run[1:] {
		if err := tx.remove(bucketRounds, k.bytes()); err != nil {
			return err
		}
	}
	return tx.put(bucketRounds, run[0].bytes(), value)
}

// unpackAt lets the rounds of the pack that spans k stand alone.
func (s *Store) unpackAt(tx *writeTx, k key) error {
	e, err := s.entries(tx.Tx).floor(k)
	if e == nil || err != nil || e.pack == nil || k.compare(e.pack.last) > 0 {
		return err
	}
	records, err := e.pack.records()
	if err != nil {
		return damagedRecord(bucketRounds, e.pack.first.bytes(), err)
	}
	for _, rec := range records {
		if err := s.putRecord(tx, rec); err != nil {
			return err
		}
	}
	return nil
}
