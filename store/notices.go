package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// The keys in bucketNotices.
const (
	prefixNotice = 'q' // and the running number -> notice
	prefixCursor = 'c' // and the channel's name -> number of the last notice that it delivered
)

var (
	keyNoticeState = []byte("state") // of whoever decides what is told
	keyNoticeCount = []byte("n")     // number of the last notice; numbers are never used again
)

// Notice is a message to be delivered. Numbers ascend.
type Notice struct {
	Number uint64
	Body   []byte
}

// OpenNotices names the channels that notices are kept for until each has delivered them. A channel that is new begins with
// the next notice, and one that is named no more is forgotten. With no channel no notice is kept.
func (s *Store) OpenNotices(channels []string) error {
	return s.changeNotices("open notices", func(tx *writeTx) error {
		cursors, last, err := readCursors(tx.Bucket(bucketNotices))
		if err != nil {
			return err
		}
		for name := range cursors {
			if !slices.Contains(channels, name) {
				delete(cursors, name)
				if err := tx.remove(bucketNotices, cursorKey(name)); err != nil {
					return err
				}
			}
		}
		for _, name := range channels {
			if _, known := cursors[name]; known {
				continue
			}
			cursors[name] = last
			if err := putNumber(tx, cursorKey(name), last); err != nil {
				return err
			}
		}
		return pruneNotices(tx, cursors)
	})
}

// Delivered notes that a channel delivered all notices up to a number. What every channel delivered is deleted.
func (s *Store) Delivered(channel string, number uint64) error {
	return s.changeNotices("note what was delivered", func(tx *writeTx) error {
		cursors, last, err := readCursors(tx.Bucket(bucketNotices))
		if err != nil {
			return err
		}
		if was, known := cursors[channel]; !known || number < was || number > last {
			return fmt.Errorf("channel %q, at notice %d of %d, cannot be at %d", channel, was, last, number)
		}
		cursors[channel] = number
		if err := putNumber(tx, cursorKey(channel), number); err != nil {
			return err
		}
		return pruneNotices(tx, cursors)
	})
}

// Undelivered is the next notices, at most n, that a channel has not delivered.
func (s *Store) Undelivered(channel string, n int) ([]Notice, error) {
	var list []Notice
	err := s.view(func(tx *bolt.Tx) error {
		list = nil
		b := tx.Bucket(bucketNotices)
		cursors, _, err := readCursors(b)
		if err != nil {
			return err
		}
		at, known := cursors[channel]
		if !known {
			return fmt.Errorf("channel %q is not open", channel)
		}
		c := b.Cursor()
		for k, sealed := c.Seek(noticeKey(at + 1)); len(k) == 9 && k[0] == prefixNotice && len(list) < n; k, sealed = c.Next() {
			body, err := unseal(bucketNotices, k, sealed)
			if err != nil {
				return err
			}
			list = append(list, Notice{binary.BigEndian.Uint64(k[1:]), bytes.Clone(body)})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read notices: %w", err)
	}
	return list, nil
}

// NoticeState is the state committed last by whoever decides what is told; nil if there is none.
func (s *Store) NoticeState() (state []byte, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketNotices)
		if b.Get(keyNoticeState) == nil {
			return nil
		}
		value, err := unseal(bucketNotices, keyNoticeState, b.Get(keyNoticeState))
		state = bytes.Clone(value)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read what was told: %w", err)
	}
	return state, nil
}

// putNotices appends what is to be told, for the channels that there are.
func putNotices(tx *writeTx, c *Commit) error {
	if c.NoticeState == nil && len(c.Notices) == 0 {
		return nil
	}
	if c.NoticeState != nil {
		if err := tx.put(bucketNotices, keyNoticeState, c.NoticeState); err != nil {
			return err
		}
	}
	cursors, last, err := readCursors(tx.Bucket(bucketNotices))
	if err != nil || len(cursors) == 0 {
		return err
	}
	for _, body := range c.Notices {
		last++
		if err := tx.put(bucketNotices, noticeKey(last), body); err != nil {
			return err
		}
	}
	return putNumber(tx, keyNoticeCount, last)
}

// changeNotices changes the bucket in a transaction of its own.
func (s *Store) changeNotices(what string, f func(*writeTx) error) error {
	s.write.Lock()
	defer s.write.Unlock()
	if err := s.update(f); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// readCursors is how far each channel got, and the number of the last notice.
func readCursors(b *bolt.Bucket) (cursors map[string]uint64, last uint64, err error) {
	if last, err = getNumber(b, keyNoticeCount); err != nil {
		return nil, 0, err
	}
	cursors = map[string]uint64{}
	c := b.Cursor()
	for k, _ := c.Seek([]byte{prefixCursor}); len(k) > 0 && k[0] == prefixCursor; k, _ = c.Next() {
		n, err := getNumber(b, k)
		if err != nil {
			return nil, 0, err
		}
		cursors[string(k[1:])] = n
	}
	return cursors, last, nil
}

// pruneNotices deletes what every channel has delivered.
func pruneNotices(tx *writeTx, cursors map[string]uint64) error {
	done := ^uint64(0)
	for _, n := range slices.Collect(maps.Values(cursors)) {
		done = min(done, n)
	}
	var old [][]byte
	c := tx.Bucket(bucketNotices).Cursor()
	for k, _ := c.Seek(noticeKey(0)); len(k) == 9 && k[0] == prefixNotice && binary.BigEndian.Uint64(k[1:]) <= done; k, _ = c.Next() {
		old = append(old, bytes.Clone(k))
	}
	for _, k := range old { // a cursor must not delete under itself
		if err := tx.remove(bucketNotices, k); err != nil {
			return err
		}
	}
	return nil
}

func noticeKey(n uint64) []byte { return binary.BigEndian.AppendUint64([]byte{prefixNotice}, n) }

func cursorKey(channel string) []byte { return append([]byte{prefixCursor}, channel...) }

func putNumber(tx *writeTx, k []byte, n uint64) error {
	return tx.put(bucketNotices, k, binary.BigEndian.AppendUint64(nil, n))
}

// getNumber reads a number; 0 if there is none.
func getNumber(b *bolt.Bucket, k []byte) (uint64, error) {
	sealed := b.Get(k)
	if sealed == nil {
		return 0, nil
	}
	value, err := unseal(bucketNotices, k, sealed)
	if err == nil && len(value) != 8 {
		err = damagedRecord(bucketNotices, k, errors.New("is no number"))
	}
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(value), nil
}
