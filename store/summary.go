package store

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"

	"brownout/probe"
	"brownout/probe/outage"
)

// Summaries of a block stand together in chunks, so that a line costs some ten bytes, not a record. A chunk's key is the
// start of its first.

// chunkSummaries is how many summaries a chunk holds at most.
const chunkSummaries = 32

// chunkVersion is a chunk's first byte.
const chunkVersion = 1

// How RTT percentiles are kept: as numbers of quantisation steps, or, where one is no quantised value, as they are.
const (
	rttSteps = iota
	rttPlain
)

func appendChunk(b []byte, block []outage.Summary) []byte {
	form := byte(rttSteps)
	for i := range block {
		for _, us := range block[i].RTT {
			if us != probe.QuantiseRTT(us) {
				form = rttPlain
			}
		}
	}
	b = append(b, chunkVersion, form, byte(len(block)))
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
func decodeChunk(b []byte, block string, first probe.Instant) ([]outage.Summary, error) {
	in := reader{b: b}
	if v := in.byte(); v != chunkVersion && in.err == nil {
		return nil, fmt.Errorf("summary encoding %d is not known", v)
	}
	form, n := in.byte(), int(in.byte())
	if form > rttPlain || n == 0 || n > chunkSummaries {
		in.fail(errors.New("malformed head"))
	}
	if in.err != nil {
		return nil, in.err
	}
	chunk := make([]outage.Summary, n)
	column := func(set func(m *outage.Summary, v int64)) {
		for i, v := range in.column(n, 0) {
			set(&chunk[i], unzigzag(v))
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
	var last [chunkSummaries]int64
	for p := range len(outage.Summary{}.RTT) {
		for i, v := range in.column(n, 0) {
			last[i] += unzigzag(v)
			us, err := rttFrom(last[i], form)
			if err != nil {
				in.fail(err)
			}
			chunk[i].RTT[p] = us
		}
	}
	return chunk, in.end()
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

func summaryOrder(a, b *outage.Summary) int {
	return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Kind, b.Kind))
}

// putSummary writes a summary into its block's chunks, replacing the one of the same start and kind.
func putSummary(tx *bolt.Tx, m *outage.Summary) error {
	id, _, err := blockID(tx, m.Block, true)
	if err != nil {
		return err
	}
	bucket := tx.Bucket(bucketSummaries)
	bucket.FillPercent = 0.9 // a block's chunks are appended, between those of other blocks
	prefix := numberKey(id)
	k, v := floor(bucket.Cursor(), append(slices.Clone(prefix), timeKey(m.Start)...))
	var chunk []outage.Summary
	if bytes.HasPrefix(k, prefix) {
		if chunk, err = openChunk(k, v, m.Block); err != nil {
			return err
		}
	}
	at, found := slices.BinarySearchFunc(chunk, m, func(a outage.Summary, b *outage.Summary) int { return summaryOrder(&a, b) })
	switch {
	case found:
		chunk[at] = *m
	case len(chunk) < chunkSummaries:
		chunk = slices.Insert(chunk, at, *m)
	case at == len(chunk):
		chunk = []outage.Summary{*m}
	default:
		if err := putChunk(tx, prefix, chunk[at:]); err != nil {
			return err
		}
		chunk = append(chunk[:at:at], *m)
	}
	return putChunk(tx, prefix, chunk)
}

func putChunk(tx *bolt.Tx, prefix []byte, chunk []outage.Summary) error {
	k := append(slices.Clone(prefix), timeKey(chunk[0].Start)...)
	return put(tx, bucketSummaries, k, appendChunk(nil, chunk))
}

const chunkKeySize = 4 + 8

func openChunk(k, v []byte, block string) ([]outage.Summary, error) {
	value, err := unseal(bucketSummaries, k, v)
	if err != nil {
		return nil, err
	}
	if len(k) != chunkKeySize {
		return nil, damagedRecord(bucketSummaries, k, errors.New("malformed key"))
	}
	chunk, err := decodeChunk(value, block, parseTime(k[4:]))
	if err != nil {
		return nil, damagedRecord(bucketSummaries, k, err)
	}
	return chunk, nil
}

// Summaries is a block's summaries that start from from on and before to, by start.
func (s *Store) Summaries(block string, from, to probe.Instant) ([]outage.Summary, error) {
	var found []outage.Summary
	err := s.view(func(tx *bolt.Tx) error {
		found = nil
		id, ok, err := blockID(tx, block, false)
		if err != nil || !ok {
			return err
		}
		prefix := numberKey(id)
		c := tx.Bucket(bucketSummaries).Cursor()
		k, v := floor(c, append(slices.Clone(prefix), timeKey(from)...))
		if !bytes.HasPrefix(k, prefix) {
			k, v = c.Seek(prefix)
		}
		for ; bytes.HasPrefix(k, prefix); k, v = c.Next() {
			chunk, err := openChunk(k, v, block)
			if err != nil {
				return err
			}
			if chunk[0].Start >= to {
				break
			}
			for _, m := range chunk {
				if m.Start >= from && m.Start < to {
					found = append(found, m)
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read summaries of %s: %w", block, err)
	}
	return found, nil
}
