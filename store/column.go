package store

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"
)

// A column is a list of unsigned integers of known length in patched frame-of-reference coding (Zukowski et al., ICDE
// 2006): the smallest value as base; then w bits of each value less base; what does not fit in them stands apart, as gaps
// and high bits. An empty column takes no bytes. The width is the cheapest one, and of those the smallest, so that equal
// lists are equal bytes.

// maxWidth keeps a value and a partial byte within 64 bits.
const maxWidth = 56

var errColumn = errors.New("malformed column")

// appendColumn appends values in at least minWidth bits each.
func appendColumn(b []byte, values []uint64, minWidth int) []byte {
	if len(values) == 0 {
		return b
	}
	base := slices.Min(values)
	width, exceptions := columnWidth(values, base, minWidth)
	b = binary.AppendUvarint(b, base)
	head := byte(width) << 1
	if exceptions > 0 {
		head |= 1
	}
	b = append(b, head)
	if exceptions > 0 {
		b = binary.AppendUvarint(b, uint64(exceptions))
		b = appendExceptions(b, values, base, width)
	}
	return appendBits(b, values, base, width)
}

// columnWidth is the cheapest width and how many values do not fit in it.
func columnWidth(values []uint64, base uint64, minWidth int) (width, exceptions int) {
	var count [65]int // by bit length
	longest := 0
	for _, v := range values {
		n := bits.Len64(v - base)
		count[n]++
		longest = max(longest, n)
	}
	best := -1
	for w := minWidth; w <= min(max(longest, minWidth), maxWidth); w++ {
		cost, over := (len(values)*w+7)/8, 0
		for n := w + 1; n <= longest; n++ {
			over += count[n]
			cost += count[n] * (1 + (n-w+6)/7) // about: a gap may take two bytes
		}
		if best < 0 || cost < best {
			best, width, exceptions = cost, w, over
		}
	}
	return width, exceptions
}

func appendExceptions(b []byte, values []uint64, base uint64, width int) []byte {
	last := -1
	for i, v := range values {
		if high := (v - base) >> width; high > 0 {
			b = binary.AppendUvarint(b, uint64(i-last-1))
			b = binary.AppendUvarint(b, high)
			last = i
		}
	}
	return b
}

func appendBits(b []byte, values []uint64, base uint64, width int) []byte {
	var word uint64
	held := 0
	for _, v := range values {
		word |= (v - base) & (1<<width - 1) << held
		for held += width; held >= 8; held -= 8 {
			b = append(b, byte(word))
			word >>= 8
		}
	}
	if held > 0 {
		b = append(b, byte(word))
	}
	return b
}

// reader takes a record apart. The first error stays, and everything after it reads as 0.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

var errShort = errors.New("ends early")

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail(errShort)
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	u := r.uvarint()
	return unzigzag(u)
}

func (r *reader) bytes(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.fail(errShort)
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// count reads a length that may not exceed limit.
func (r *reader) count(limit int) int {
	n := r.uvarint()
	if n > uint64(limit) {
		r.fail(errors.New("a length is too large"))
		return 0
	}
	return int(n)
}

func (r *reader) text() string { return string(r.bytes(r.count(len(r.b)))) }

// end is the first error, or one if anything is left.
func (r *reader) end() error {
	if r.err == nil && len(r.b) > 0 {
		r.fail(errors.New("has bytes after its end"))
	}
	return r.err
}

// column reads n values that were written with minWidth.
func (r *reader) column(n, minWidth int) []uint64 {
	if n == 0 || r.err != nil {
		return nil
	}
	values := make([]uint64, n)
	r.columnInto(values, minWidth)
	if r.err != nil {
		return nil
	}
	return values
}

// columnInto reads as many values as there is room for.
func (r *reader) columnInto(values []uint64, minWidth int) {
	base, width, patches, packed := r.openColumn(len(values), minWidth)
	if r.err != nil {
		return
	}
	unpack(values, packed, width)
	for i := 0; i < len(patches); i += 2 {
		values[patches[i]] |= patches[i+1] << width
	}
	for i := range values {
		values[i] += base
	}
}

// skipColumn passes over n values that were written with minWidth, and gives their bytes.
func (r *reader) skipColumn(n, minWidth int) []byte {
	from := r.b
	r.openColumn(n, minWidth)
	if r.err != nil {
		return nil
	}
	return from[:len(from)-len(r.b)]
}

// openColumn takes a column apart; patches are index and high bits by turns.
func (r *reader) openColumn(n, minWidth int) (base uint64, width int, patches []uint64, packed []byte) {
	if n == 0 || r.err != nil {
		return 0, 0, nil, nil
	}
	base = r.uvarint()
	head := r.byte()
	width = int(head >> 1)
	if width < minWidth || width > maxWidth {
		r.fail(errColumn)
		return 0, 0, nil, nil
	}
	if head&1 != 0 {
		patches = r.exceptions(n)
	}
	return base, width, patches, r.bytes((n*width + 7) / 8)
}

func (r *reader) exceptions(n int) []uint64 {
	k := r.count(min(n, len(r.b)/2))
	patches := make([]uint64, 0, 2*k)
	next := uint64(0)
	for range k {
		at := next + r.uvarint()
		if at < next || at >= uint64(n) {
			r.fail(errColumn)
			return nil
		}
		patches = append(patches, at, r.uvarint())
		next = at + 1
	}
	return patches
}

// unpack reads values of width bits into room that is zero.
func unpack(values []uint64, packed []byte, width int) {
	if width == 0 {
		return
	}
	mask := uint64(1)<<width - 1
	for i := range values {
		bit := i * width
		values[i] = word(packed, bit/8) >> (bit % 8) & mask
	}
}

// word is up to eight bytes from a place on.
func word(b []byte, at int) (w uint64) {
	if at+8 <= len(b) {
		return binary.LittleEndian.Uint64(b[at:])
	}
	for i, v := range b[at:] {
		w |= uint64(v) << (8 * i)
	}
	return w
}

func zigzag(v int64) uint64   { return uint64(v)<<1 ^ uint64(v>>63) }
func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }
