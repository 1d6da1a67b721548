package store

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"

	bolt "go.etcd.io/bbolt"

	"brownout/probe"
)

// schemaVersion is what this program writes and the newest that it reads.
//
// 1: every round stands alone. 2: packs, hours.
const schemaVersion = 2

const magic = "brownout store"

// The buckets. Keys that are numbers are big endian, so that they sort.
var (
	bucketMeta      = []byte("meta")       // magic, version; see meta
	bucketSpaces    = []byte("spaces")     // number -> space
	bucketFrames    = []byte("frames")     // number -> frame
	bucketEpochs    = []byte("epochs")     // start of the first full round of a space -> number of the space
	bucketRounds    = []byte("rounds")     // start, kind (of the first) -> record or pack
	bucketBlocks    = []byte("blocks")     // number -> block: its name, and what to expect of it
	bucketSummaries = []byte("summaries")  // block's number, start and kind of the first -> chunk
	bucketHours     = []byte("hours")      // block's number, start of a day -> its hours
	bucketChanges   = []byte("changes")    // block's number, running number -> change
	bucketOutages   = []byte("outages")    // id -> outage
	bucketByStart   = []byte("outages-at") // most likely start, id -> nothing
	bucketState     = []byte("state")      // head, detector
	bucketNotices   = []byte("notices")    // what somebody is to be told of, and how far each channel got: notices.go
)

var bucketNames = [][]byte{bucketMeta, bucketSpaces, bucketFrames, bucketEpochs, bucketRounds, bucketBlocks,
	bucketSummaries, bucketHours, bucketChanges, bucketOutages, bucketByStart, bucketState, bucketNotices}

// numberKey is the key of a numbered record.
func numberKey(n uint64) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const checksumSize = crc32.Size

// seal appends the checksum over bucket, key and value to value.
func seal(bucket, key, value []byte) []byte {
	return binary.LittleEndian.AppendUint32(value, checksum(bucket, key, value))
}

func checksum(bucket, key, value []byte) uint32 {
	sum := crc32.Update(0, castagnoli, bucket)
	sum = crc32.Update(sum, castagnoli, key)
	return crc32.Update(sum, castagnoli, value)
}

var errChecksum = errors.New("checksum does not fit")

// unseal checks and removes the checksum.
func unseal(bucket, key, value []byte) ([]byte, error) {
	n := len(value) - crc32.Size
	if n < 0 || checksum(bucket, key, value[:n]) != binary.LittleEndian.Uint32(value[n:]) {
		return nil, damagedRecord(bucket, key, errChecksum)
	}
	return value[:n:n], nil
}

// damagedRecord names the record as its reader would.
func damagedRecord(bucket, k []byte, err error) error {
	name := hex.EncodeToString(k)
	if id, parseErr := parseKey(k); parseErr == nil && string(bucket) == string(bucketRounds) {
		name = id.String()
	} else if strings.HasPrefix(string(bucket), "outages") || string(bucket) == string(bucketState) || string(bucket) == string(bucketMeta) {
		name = fmt.Sprintf("%q", k)
	}
	return &RecordError{string(bucket), name, err}
}

// get reads a record; nil if there is none.
func get(tx *bolt.Tx, bucket, key []byte) ([]byte, error) {
	value := tx.Bucket(bucket).Get(key)
	if value == nil {
		return nil, nil
	}
	return unseal(bucket, key, value)
}

// each visits every record of a bucket in order.
func each(tx *bolt.Tx, bucket []byte, f func(key, value []byte) error) error {
	c := tx.Bucket(bucket).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		value, err := unseal(bucket, k, v)
		if err != nil {
			return err
		}
		if err := f(k, value); err != nil {
			return err
		}
	}
	return nil
}

// meta says whose file this is.
type meta struct {
	schema    int
	createdBy string
}

var keyMeta = []byte("store")

func writeMeta(tx *writeTx, m meta) error {
	b := append([]byte(magic), 0)
	b = binary.AppendUvarint(b, uint64(m.schema))
	b = binary.AppendUvarint(b, uint64(len(m.createdBy)))
	return tx.put(bucketMeta, keyMeta, append(b, m.createdBy...))
}

// readMeta tells foreign and newer files from ours, and checks that no bucket is missing.
func (s *Store) readMeta(tx *bolt.Tx) error {
	foreign := fmt.Errorf("%s is %w: a bbolt file of another program: name another file", s.path, ErrForeign)
	if tx.Bucket(bucketMeta) == nil || tx.Bucket(bucketMeta).Get(keyMeta) == nil {
		return foreign
	}
	b, err := get(tx, bucketMeta, keyMeta)
	if err != nil {
		if !strings.HasPrefix(string(tx.Bucket(bucketMeta).Get(keyMeta)), magic) {
			return foreign
		}
		return &DamagedError{s.path, err}
	}
	in := reader{b: b}
	if string(in.bytes(len(magic)+1)) != magic+"\x00" {
		return foreign
	}
	s.meta.schema = int(min(in.uvarint(), 1<<31-1))
	s.meta.createdBy = in.text()
	if s.meta.schema > schemaVersion || s.meta.schema < schemaVersion && !s.opt.anySchema {
		return &SchemaError{s.path, s.meta.schema, schemaVersion, s.meta.createdBy}
	}
	for _, name := range bucketNames {
		if s.meta.schema < 2 && (string(name) == string(bucketHours) || string(name) == string(bucketNotices)) {
			continue
		}
		if tx.Bucket(name) == nil {
			return &DamagedError{s.path, fmt.Errorf("bucket %s is missing", name)}
		}
	}
	return nil
}

// readFrames loads the numbered spaces and frames.
func (s *Store) readFrames(tx *bolt.Tx) error {
	err := each(tx, bucketSpaces, func(k, v []byte) error {
		space, err := decodeSpace(v)
		if err != nil || string(k) != string(numberKey(uint64(len(s.frames.spaces)))) {
			return damagedRecord(bucketSpaces, k, cmpErr(err, errNumber))
		}
		s.frames.spaceID(space)
		return nil
	})
	if err == nil {
		err = each(tx, bucketFrames, func(k, v []byte) error {
			fr, err := decodeFrame(v, len(s.frames.spaces))
			if err != nil || string(k) != string(numberKey(uint64(len(s.frames.frames)))) {
				return damagedRecord(bucketFrames, k, cmpErr(err, errNumber))
			}
			s.frames.addFrame(&fr)
			return nil
		})
	}
	if err != nil {
		return &DamagedError{s.path, err}
	}
	return nil
}

var errNumber = errors.New("a number is missing before it")

func cmpErr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// writeFrames writes what was added to the spaces and frames since from.
func (s *Store) writeFrames(tx *writeTx, from mark) error {
	for id := from.spaces; id < len(s.frames.spaces); id++ {
		if err := tx.put(bucketSpaces, numberKey(uint64(id)), appendSpace(nil, s.frames.spaces[id])); err != nil {
			return err
		}
	}
	for id := from.frames; id < len(s.frames.frames); id++ {
		if err := tx.put(bucketFrames, numberKey(uint64(id)), appendFrame(nil, &s.frames.frames[id])); err != nil {
			return err
		}
	}
	return nil
}

// head is the store's state: what the last commit left.
type head struct {
	cursor      probe.Instant
	rounds      uint64
	first, last key   // of the rounds, if there are any
	open        []key // rounds that were still under way
	detector    bool  // whether there is a snapshot

	// How many records there are, so that one that was lost is missed.
	epochs, blocks, outages uint64
}

var (
	keyHead     = []byte("head")
	keyDetector = []byte("detector")
)

const headVersion = 1

func appendHead(b []byte, h *head) []byte {
	b = append(b, headVersion)
	b = appendZigzag(b, int64(h.cursor))
	b = binary.AppendUvarint(b, h.rounds)
	b = binary.AppendUvarint(b, h.epochs)
	b = binary.AppendUvarint(b, h.blocks)
	b = binary.AppendUvarint(b, h.outages)
	if h.detector {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	if h.rounds > 0 {
		b = append(append(b, h.first.bytes()...), h.last.bytes()...)
	}
	b = binary.AppendUvarint(b, uint64(len(h.open)))
	for _, k := range h.open {
		b = append(b, k.bytes()...)
	}
	return b
}

func readHead(tx *bolt.Tx) (h head, err error) {
	b, err := get(tx, bucketState, keyHead)
	if err != nil || b == nil {
		return h, err
	}
	in := reader{b: b}
	if v := in.byte(); v != headVersion {
		return h, damagedRecord(bucketState, keyHead, fmt.Errorf("encoding %d is not known", v))
	}
	h.cursor = probe.Instant(in.varint())
	h.rounds, h.epochs, h.blocks, h.outages = in.uvarint(), in.uvarint(), in.uvarint(), in.uvarint()
	h.detector = in.byte() == 1
	if h.rounds > 0 {
		h.first, h.last = in.key(), in.key()
	}
	for range in.count(len(in.b) / keySize) {
		h.open = append(h.open, in.key())
	}
	if err := in.end(); err != nil {
		return h, damagedRecord(bucketState, keyHead, err)
	}
	return h, nil
}

func (r *reader) key() key {
	b := r.bytes(keySize)
	if b == nil {
		return key{}
	}
	k, err := parseKey(b)
	if err != nil {
		r.fail(err)
	}
	return k
}
