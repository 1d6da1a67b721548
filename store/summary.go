package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"

	"brownout/probe"
	"brownout/probe/outage"
)

// Summaries of a block stand together in chunks, so that a line costs some ten bytes, not a record. A chunk's key is the
// start of its first.

// chunkSummaries is how many summaries a chunk holds when they are appended.
const chunkSummaries = 32

// maxChunk is how far it may grow where summaries are put in between.
const maxChunk = 1024

// chunkVersion is a chunk's first byte.
const chunkVersion = 1

// How RTT percentiles are kept: as numbers of quantisation steps, or, where one is no quantised value, as they are.
const (
	rttSteps = iota
	rttPlain
)

// chunk is a run of a block's summaries, by start.
type chunk struct {
	linked bool // whether a chunk stands before it
	before key  // that one's key
	list   []outage.Summary
}

func (c *chunk) key() key { return summaryKey(&c.list[0]) }

func summaryKey(m *outage.Summary) key { return key{m.Start, m.Kind} }

func appendChunk(b []byte, c *chunk) []byte {
	block := c.list
	form := byte(rttSteps)
	for i := range block {
		for _, us := range block[i].RTT {
			if us != probe.QuantiseRTT(us) {
				form = rttPlain
			}
		}
	}
	b = append(b, chunkVersion, form)
	if c.linked {
		b = append(append(b, 1), c.before.bytes()...)
	} else {
		b = append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(block)))
	column := func(value func(i int) int64) {
		values := make([]uint64, len(block))
		for i := range block {
			values[i] = zigzag(value(i))
		}
		b = appendColumn(b, values, 0)
	}
	column(func(i int) int64 {
		if i == 0 {
			return 0
		}
		return int64(block[i].Start - block[i-1].Start)
	})
	column(func(i int) int64 { return int64(block[i].End - block[i].Start) })
	column(func(i int) int64 { return int64(block[i].Kind) })
	column(func(i int) int64 { return int64(block[i].State) })
	column(func(i int) int64 { return int64(block[i].Expected) })
	column(func(i int) int64 { return int64(block[i].Observed) })
	column(func(i int) int64 { return int64(block[i].Responsive) })
	column(func(i int) int64 { return int64(block[i].Targets) })
	for p := range len(outage.Summary{}.RTT) {
		column(func(i int) int64 {
			v := rttValue(block[i].RTT[p], form)
			if p > 0 {
				v -= rttValue(block[i].RTT[p-1], form)
			}
			return v
		})
	}
	return b
}

func rttValue(us uint32, form byte) int64 {
	if form == rttPlain {
		return int64(us)
	}
	return int64(rttCode(us))
}

// decodeChunk reads the chunk of a block whose first summary starts at first.
func decodeChunk(b []byte, block string, first probe.Instant) (*chunk, error) {
	in := reader{b: b}
	if v := in.byte(); v != chunkVersion && in.err == nil {
		return nil, fmt.Errorf("summary encoding %d is not known", v)
	}
	form, linked := in.byte(), in.byte()
	c := &chunk{linked: linked == 1}
	if c.linked {
		c.before = in.key()
	}
	n := in.count(maxChunk)
	if form > rttPlain || linked > 1 || n == 0 {
		in.fail(errors.New("malformed head"))
	}
	if in.err != nil {
		return nil, in.err
	}
	c.list = make([]outage.Summary, n)
	column := func(set func(m *outage.Summary, v int64)) {
		for i, v := range in.column(n, 0) {
			set(&c.list[i], unzigzag(v))
		}
	}
	start := first
	column(func(m *outage.Summary, v int64) { start = start.Add(v); m.Start, m.Block = start, block })
	column(func(m *outage.Summary, v int64) { m.End = m.Start.Add(v) })
	column(func(m *outage.Summary, v int64) { m.Kind = probe.Kind(v) })
	column(func(m *outage.Summary, v int64) { m.State = outage.State(v) })
	column(func(m *outage.Summary, v int64) { m.Expected = outage.Decimal(v) })
	column(func(m *outage.Summary, v int64) { m.Observed = int(v) })
	column(func(m *outage.Summary, v int64) { m.Responsive = int(v) })
	column(func(m *outage.Summary, v int64) { m.Targets = int(v) })
	last := make([]int64, n)
	for p := range len(outage.Summary{}.RTT) {
		for i, v := range in.column(n, 0) {
			last[i] += unzigzag(v)
			us, err := rttFrom(last[i], form)
			if err != nil {
				in.fail(err)
			}
			c.list[i].RTT[p] = us
		}
	}
	return c, in.end()
}

func rttFrom(v int64, form byte) (uint32, error) {
	if v < 0 || v > 1<<32-1 {
		return 0, errors.New("an RTT is out of range")
	}
	if form == rttPlain {
		return uint32(v), nil
	}
	return rttOf(uint64(v))
}

// putSummary writes a summary into its block's chunks, replacing the one of the same start and kind. What is appended is
// held back in bl.tail until flushSummaries.
func putSummary(tx *writeTx, m *outage.Summary, bl *block) error {
	if bl.tail == nil && bl.chunked {
		k := chunkKey(bl, bl.last)
		v := tx.Bucket(bucketSummaries).Get(k)
		if v == nil {
			return damagedRecord(bucketSummaries, k, errChunk)
		}
		var err error
		if bl.tail, err = openChunk(k, v, bl.name); err != nil {
			return err
		}
	}
	if c := bl.tail; c != nil && summaryKey(m).compare(summaryKey(&c.list[len(c.list)-1])) > 0 && len(c.list) < chunkSummaries {
		c.list = append(c.list, *m)
		bl.tailed = true
		return nil
	}
	if err := flushSummaries(tx, bl); err != nil {
		return err
	}
	return insertSummary(tx, m, bl)
}

// flushSummaries writes what was appended.
func flushSummaries(tx *writeTx, bl *block) error {
	c := bl.tail
	bl.tail = nil
	if !bl.tailed {
		return nil
	}
	bl.tailed = false
	return putChunk(tx, bl, c)
}

// insertSummary writes a summary in its place.
func insertSummary(tx *writeTx, m *outage.Summary, bl *block) error {
	bucket := tx.Bucket(bucketSummaries)
	bucket.FillPercent = 0.9 // a block's chunks are appended, between those of other blocks
	k, v := floor(bucket.Cursor(), chunkKey(bl, summaryKey(m)))
	if !bytes.HasPrefix(k, numberKey(bl.id)) {
		return addChunk(tx, bl, &chunk{list: []outage.Summary{*m}})
	}
	c, err := openChunk(k, v, bl.name)
	if err != nil {
		return err
	}
	at, found := slices.BinarySearchFunc(c.list, m, func(a outage.Summary, b *outage.Summary) int {
		return summaryKey(&a).compare(summaryKey(b))
	})
	switch {
	case found:
		c.list[at] = *m
	case at == len(c.list) && at >= chunkSummaries || len(c.list) == maxChunk:
		return addChunk(tx, bl, &chunk{linked: true, before: c.key(), list: []outage.Summary{*m}})
	default:
		c.list = slices.Insert(c.list, at, *m)
	}
	return putChunk(tx, bl, c)
}

// addChunk writes a new chunk and keeps up the chain of chunks.
func addChunk(tx *writeTx, bl *block, c *chunk) error {
	k := chunkKey(bl, c.key())
	next, v := tx.Bucket(bucketSummaries).Cursor().Seek(k)
	if !bytes.HasPrefix(next, numberKey(bl.id)) {
		if bl.chunked != c.linked || c.linked && bl.last != c.before {
			return damagedRecord(bucketSummaries, k, errLost)
		}
		bl.chunked, bl.last = true, c.key()
		return putChunk(tx, bl, c)
	}
	after, err := openChunk(next, v, bl.name)
	if err != nil {
		return err
	}
	after.linked, after.before = true, c.key()
	return errors.Join(putChunk(tx, bl, after), putChunk(tx, bl, c))
}

func chunkKey(bl *block, k key) []byte { return append(numberKey(bl.id), k.bytes()...) }

func putChunk(tx *writeTx, bl *block, c *chunk) error {
	return tx.put(bucketSummaries, chunkKey(bl, c.key()), appendChunk(nil, c))
}

func openChunk(k, v []byte, block string) (*chunk, error) {
	value, err := unseal(bucketSummaries, k, v)
	if err != nil {
		return nil, err
	}
	if len(k) != 4+keySize {
		return nil, damagedRecord(bucketSummaries, k, errors.New("malformed key"))
	}
	c, err := decodeChunk(value, block, parseTime(k[4:]))
	if err == nil && !bytes.Equal(k[4:], c.key().bytes()) {
		err = errors.New("stands under another key")
	}
	if err != nil {
		return nil, damagedRecord(bucketSummaries, k, err)
	}
	return c, nil
}

// Summaries is a block's summaries that start from from on and before to, by start.
func (s *Store) Summaries(block string, from, to probe.Instant) ([]outage.Summary, error) {
	var found []outage.Summary
	err := s.view(func(tx *bolt.Tx) error {
		found = nil
		bl, err := readBlock(tx, block)
		if bl == nil {
			return err
		}
		return eachChunk(tx, bl, from, to, func(c *chunk) {
			for _, m := range c.list {
				if m.Start >= from && m.Start < to {
					found = append(found, m)
				}
			}
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read summaries of %s: %w", block, err)
	}
	return found, nil
}

// eachChunk visits the chunks that may hold summaries of a time, and checks that none is missing among them.
func eachChunk(tx *bolt.Tx, bl *block, from, to probe.Instant, visit func(c *chunk)) error {
	all := chain[*chunk]{
		bucket: bucketSummaries, keyOf: func(k key) []byte { return chunkKey(bl, k) },
		open:  func(k, v []byte) (*chunk, error) { return openChunk(k, v, bl.name) },
		begun: bl.chunked, last: bl.last, lost: errChunk,
	}
	return all.each(tx, bl, from, to, visit)
}

func (c *chunk) link() link { return link{c.linked, c.before, c.key()} }

var errChunk = errors.New("a chunk next to it is missing")
