package store

import (
	"errors"
	"sort"

	bolt "go.etcd.io/bbolt"
)

// entry is a round as it stands in its bucket, alone or in a pack. It outlives its transaction.
type entry struct {
	key
	sealed bool
	linked bool // whether a round stands before it
	before key  // that round
	rec    *record
	pack   *pack // nil: it stands alone
	i      int   // its place in the pack
}

// record puts the round together.
func (e *entry) record() (*record, error) {
	if e.pack == nil {
		return e.rec, nil
	}
	rec, err := e.pack.record(e.i)
	if err != nil {
		return nil, damagedRecord(bucketRounds, e.pack.first.bytes(), err)
	}
	return rec, nil
}

// entryCursor walks the rounds in order of time, into packs and out of them. Its methods give nil where there is none.
type entryCursor struct {
	store *Store
	c     *bolt.Cursor
	now   entry
}

func (s *Store) entries(tx *bolt.Tx) *entryCursor {
	return &entryCursor{store: s, c: tx.Bucket(bucketRounds).Cursor()}
}

// open decodes what stands under k, and goes to its first or last round.
func (c *entryCursor) open(k, sealed []byte, last bool) (*entry, error) {
	if k == nil {
		return nil, nil
	}
	id, value, err := openRound(k, sealed)
	if err != nil {
		return nil, err
	}
	if !isPack(value) {
		rec, err := decodeRecord(value, id, c.store.frames)
		if err != nil {
			return nil, damagedRecord(bucketRounds, k, err)
		}
		c.now = entry{key: id, sealed: rec.sealed, linked: rec.linked, before: rec.before, rec: rec}
		return &c.now, nil
	}
	p, err := decodePack(value, id, c.store.frames)
	if err != nil {
		return nil, damagedRecord(bucketRounds, k, err)
	}
	at := 0
	if last {
		at = len(p.keys) - 1
	}
	return c.in(p, at), nil
}

// openRound checks what stands in the rounds' bucket.
func openRound(k, sealed []byte) (id key, value []byte, err error) {
	if value, err = unseal(bucketRounds, k, sealed); err != nil {
		return id, nil, err
	}
	if id, err = parseKey(k); err != nil {
		return id, nil, damagedRecord(bucketRounds, k, err)
	}
	return id, value, nil
}

// in goes to the ith round of a pack.
func (c *entryCursor) in(p *pack, i int) *entry {
	c.now = entry{key: p.keys[i], sealed: true, linked: p.linked, before: p.before, pack: p, i: i}
	if i > 0 {
		c.now.linked, c.now.before = true, p.keys[i-1]
	}
	return &c.now
}

func (c *entryCursor) first() (*entry, error) {
	k, v := c.c.First()
	return c.open(k, v, false)
}

func (c *entryCursor) last() (*entry, error) {
	k, v := c.c.Last()
	return c.open(k, v, true)
}

func (c *entryCursor) next() (*entry, error) {
	if p := c.now.pack; p != nil && c.now.i+1 < len(p.keys) {
		return c.in(p, c.now.i+1), nil
	}
	k, v := c.c.Next()
	return c.open(k, v, false)
}

func (c *entryCursor) prev() (*entry, error) {
	if p := c.now.pack; p != nil && c.now.i > 0 {
		return c.in(p, c.now.i-1), nil
	}
	k, v := c.c.Prev()
	return c.open(k, v, true)
}

// floor finds the last round at or before k.
func (c *entryCursor) floor(k key) (*entry, error) {
	found, v := floor(c.c, k.bytes())
	e, err := c.open(found, v, false)
	if e == nil || err != nil || e.pack == nil {
		return e, err
	}
	keys := e.pack.keys
	return c.in(e.pack, sort.Search(len(keys), func(i int) bool { return keys[i].compare(k) > 0 })-1), nil
}

// after finds the first round after k. Of a pack that ends at or before k only the head is read.
func (c *entryCursor) after(k key) (*entry, error) {
	found, v := floor(c.c, k.bytes())
	if found == nil {
		return c.first()
	}
	id, value, err := openRound(found, v)
	if err != nil {
		return nil, err
	}
	if isPack(value) {
		h, err := readPackHead(value, id)
		if err != nil {
			return nil, damagedRecord(bucketRounds, found, err)
		}
		if h.last.compare(k) > 0 {
			if _, err := c.floor(k); err != nil {
				return nil, err
			}
			return c.next()
		}
	}
	found, v = c.c.Next()
	return c.open(found, v, false)
}

// seek finds the first round at or after k.
func (c *entryCursor) seek(k key) (*entry, error) {
	e, err := c.floor(k)
	switch {
	case err != nil:
		return nil, err
	case e == nil:
		return c.first()
	case e.key == k:
		return e, nil
	}
	return c.next()
}

// find finds the round of k.
func (c *entryCursor) find(k key) (*entry, error) {
	e, err := c.floor(k)
	if e == nil || err != nil || e.key != k {
		return nil, err
	}
	return e, nil
}

var errLost = errors.New("a round next to it is missing")
