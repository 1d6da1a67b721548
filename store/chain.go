package store

import (
	"bytes"

	bolt "go.etcd.io/bbolt"

	"brownout/probe"
)

// link is a record's place among those of a block: each names the one before it, so that none goes missing unseen.
type link struct {
	linked       bool // whether one stands before it
	before, self key
}

// chain is a block's records in a bucket, by start.
type chain[T interface{ link() link }] struct {
	bucket []byte
	keyOf  func(k key) []byte // of the record that stands there
	open   func(k, v []byte) (T, error)
	begun  bool // whether there is any
	last   key
	lost   error // says that one is missing
}

// each visits the records that may hold something of a time, and checks that none is missing among them.
func (c *chain[T]) each(tx *bolt.Tx, bl *block, from, to probe.Instant, visit func(T)) error {
	prefix := numberKey(bl.id)
	cursor := tx.Bucket(c.bucket).Cursor()
	k, v := floor(cursor, c.keyOf(key{start: from}))
	first := !bytes.HasPrefix(k, prefix)
	if first {
		k, v = cursor.Seek(prefix)
	}
	var last link // of the one visited
	visited := false
	for ; bytes.HasPrefix(k, prefix); k, v = cursor.Next() {
		one, err := c.open(k, v)
		if err != nil {
			return err
		}
		now := one.link()
		if first && now.linked || visited && (!now.linked || now.before != last.self) {
			return damagedRecord(c.bucket, k, c.lost)
		}
		if now.self.start >= to {
			return nil
		}
		visit(one)
		first, visited, last = false, true, now
	}
	if c.begun && (!visited || last.self != c.last) {
		return damagedRecord(c.bucket, c.keyOf(c.last), c.lost)
	}
	return nil
}
