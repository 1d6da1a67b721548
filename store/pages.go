package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"strconv"
)

// bbolt trusts the pages of its file: a wrong page number can send it into an endless loop, and a fault in one of its own
// goroutines ends the process. So the tree of pages is walked here first, by reading and with every bound checked.
//
// The layout is bbolt's version 2, in the machine's byte order, of which only little endian is supported.

const (
	boltMagic   = 0xED0CDAED
	boltVersion = 2

	pageHeader  = 16 // id uint64, flags uint16, count uint16, overflow uint32
	elementSize = 16
	metaSize    = 64 // with its checksum

	pageBranch   = 0x01
	pageLeaf     = 0x02
	pageMeta     = 0x04
	pageFreelist = 0x10

	maxDepth = 32
)

// metaPage is one of bbolt's two meta pages.
type metaPage struct {
	pageSize                      int
	root, freelist, pages, writes uint64 // writes: the transaction's number
}

// pageFile is a file seen as pages.
type pageFile struct {
	r     io.ReaderAt
	size  int64
	meta  metaPage
	spare error // what is wrong with the other meta page
	seen  []bool
	names []string // of the buckets
	deep  bool     // check elements of leaves and free pages too
}

var errNoPages = errors.New("not a bbolt file")

// inspectPages walks the file. With deep it reads every page whole and checks that each is used once or free; else leaves
// are only known by their headers. errNoPages says that it never was a bbolt file.
func inspectPages(r io.ReaderAt, size int64, deep bool) (*pageFile, error) {
	f := &pageFile{r: r, size: size, deep: deep}
	if err := f.readMetas(); err != nil {
		return f, err
	}
	if f.meta.pages < 4 || f.meta.pages > uint64(size)/uint64(f.meta.pageSize) {
		return f, fmt.Errorf("it should have %d pages of %d bytes, but the file has %d bytes: it was cut off", f.meta.pages, f.meta.pageSize, size)
	}
	f.seen = make([]bool, f.meta.pages)
	f.seen[0], f.seen[1] = true, true
	if err := f.walk(f.meta.root, true, maxDepth, nil, nil); err != nil {
		return f, err
	}
	return f, f.checkFree()
}

func (f *pageFile) readMetas() error {
	if f.size == 0 {
		return errors.New("it is empty")
	}
	known := false // something of bbolt is in it
	var metas [2]metaPage
	var errs [2]error
	metas[0], errs[0] = f.readMeta(0)
	pageSize := int64(metas[0].pageSize)
	for guess := int64(1024); errs[0] != nil && pageSize == 0 && guess <= 1<<16; guess *= 2 {
		if m, err := f.readMeta(guess); err == nil {
			pageSize = int64(m.pageSize)
		}
	}
	if pageSize == 0 {
		pageSize = 4096
	}
	metas[1], errs[1] = f.readMeta(pageSize)
	for i := range metas {
		known = known || !errors.Is(errs[i], errNoPages)
	}
	switch {
	case !known:
		return errNoPages
	case errs[0] != nil && errs[1] != nil:
		return fmt.Errorf("both meta pages are damaged: %w", errors.Join(errs[0], errs[1]))
	case errs[0] != nil || errs[1] == nil && metas[1].writes > metas[0].writes:
		f.meta, f.spare = metas[1], errs[0]
	default:
		f.meta, f.spare = metas[0], errs[1]
	}
	if f.spare == nil {
		f.spare = f.misplaced(pageSize)
	}
	return nil
}

// misplaced says whether a meta page stands in another's place. bbolt does not look, and would go by the older one.
func (f *pageFile) misplaced(pageSize int64) error {
	for i := range int64(2) {
		var b [pageHeader + metaSize]byte
		if _, err := f.r.ReadAt(b[:], i*pageSize); err != nil {
			return err
		}
		writes := int64(binary.LittleEndian.Uint64(b[pageHeader+48:]))
		if int64(binary.LittleEndian.Uint64(b[:])) != i || binary.LittleEndian.Uint16(b[8:]) != pageMeta || writes%2 != i {
			return fmt.Errorf("meta page %d is not in its place", i)
		}
	}
	return nil
}

// readMeta reads the meta page at an offset; its page size is set where the page has bbolt's magic and a sane size.
func (f *pageFile) readMeta(at int64) (m metaPage, err error) {
	var b [pageHeader + metaSize]byte
	if n, err := f.r.ReadAt(b[:], at); n < len(b) {
		if n >= pageHeader+4 && binary.LittleEndian.Uint32(b[pageHeader:]) == boltMagic {
			return m, fmt.Errorf("meta page at %d is cut off", at)
		}
		return m, fmt.Errorf("%w: meta page at %d: %v", errNoPages, at, err)
	}
	v := b[pageHeader:]
	sum := fnv.New64a()
	sum.Write(v[:metaSize-8])
	good := sum.Sum64() == binary.LittleEndian.Uint64(v[metaSize-8:])
	if binary.LittleEndian.Uint32(v) != boltMagic {
		return m, fmt.Errorf("%w: meta page at %d has no magic number", errNoPages, at)
	}
	if version := binary.LittleEndian.Uint32(v[4:]); good && version != boltVersion {
		return m, fmt.Errorf("bbolt format %d is not known", version)
	}
	size := binary.LittleEndian.Uint32(v[8:])
	if !good || size < 1024 || size > 1<<16 || size&(size-1) != 0 {
		return m, fmt.Errorf("meta page at %d fails its checksum", at)
	}
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(v[i:]) }
	return metaPage{pageSize: int(size), root: word(16), freelist: word(32), pages: word(40), writes: word(48)}, nil
}

// page reads a page and its overflow, or only its header, and claims its numbers.
func (f *pageFile) page(id uint64, whole bool) ([]byte, error) {
	if id < 2 || id >= f.meta.pages {
		return nil, fmt.Errorf("page %d is not among the %d pages", id, f.meta.pages)
	}
	size := int64(f.meta.pageSize)
	head := make([]byte, pageHeader)
	if _, err := f.r.ReadAt(head, int64(id)*size); err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	overflow := uint64(binary.LittleEndian.Uint32(head[12:]))
	if binary.LittleEndian.Uint64(head) != id || overflow >= f.meta.pages-id {
		return nil, fmt.Errorf("page %d has a wrong header", id)
	}
	for n := id; n <= id+overflow; n++ {
		if f.seen[n] {
			return nil, fmt.Errorf("page %d is used twice", n)
		}
		f.seen[n] = true
	}
	if !whole && binary.LittleEndian.Uint16(head[8:]) == pageLeaf {
		return head, nil
	}
	b := make([]byte, int64(overflow+1)*size)
	if _, err := f.r.ReadAt(b, int64(id)*size); err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	return b, nil
}

// element finds the key and value of element i of page b. A branch's value is empty.
func element(b []byte, i int, leaf bool) (key, value []byte, err error) {
	at := uint64(pageHeader + i*elementSize)
	e := b[at:]
	var pos, keySize, valueSize uint64
	if leaf { // flags, pos, ksize, vsize uint32
		pos, keySize, valueSize = le32(e[4:]), le32(e[8:]), le32(e[12:])
	} else { // pos, ksize uint32, pgid uint64
		pos, keySize = le32(e), le32(e[4:])
	}
	from := at + pos
	if keySize == 0 || from+keySize+valueSize > uint64(len(b)) {
		return nil, nil, errors.New("an element reaches out of it")
	}
	return b[from : from+keySize], b[from+keySize : from+keySize+valueSize], nil
}

func le32(b []byte) uint64 { return uint64(binary.LittleEndian.Uint32(b)) }

// walk checks the tree below a page whose keys must lie in [least, limit). Only the root holds buckets.
func (f *pageFile) walk(id uint64, root bool, depth int, least, limit []byte) error {
	b, err := f.page(id, f.deep || root)
	if err != nil {
		return err
	}
	if depth == 0 {
		return fmt.Errorf("page %d lies too deep", id)
	}
	flags, count := binary.LittleEndian.Uint16(b[8:]), int(binary.LittleEndian.Uint16(b[10:]))
	switch flags {
	case pageLeaf:
		if len(b) == pageHeader {
			return nil
		}
		return f.leaf(b, strconv.FormatUint(id, 10), count, root, least, limit)
	case pageBranch:
		return f.branch(b, id, count, root, depth, least, limit)
	}
	return fmt.Errorf("page %d is neither branch nor leaf", id)
}

func (f *pageFile) branch(b []byte, id uint64, count int, root bool, depth int, least, limit []byte) error {
	if count == 0 || pageHeader+count*elementSize > len(b) {
		return fmt.Errorf("page %d has %d elements", id, count)
	}
	keys := make([][]byte, count+1)
	for i := range count {
		var err error
		if keys[i], _, err = element(b, i, false); err != nil {
			return fmt.Errorf("page %d: %w", id, err)
		}
		if !ordered(keys, i, least, limit) {
			return fmt.Errorf("page %d: its keys are out of order", id)
		}
	}
	keys[count] = limit
	for i := range count {
		child := binary.LittleEndian.Uint64(b[pageHeader+i*elementSize+8:])
		if err := f.walk(child, root, depth-1, keys[i], keys[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// ordered checks keys[i] against the one before it and the bounds.
func ordered(keys [][]byte, i int, least, limit []byte) bool {
	if i > 0 && bytes.Compare(keys[i-1], keys[i]) >= 0 {
		return false
	}
	return bytes.Compare(keys[i], least) >= 0 && (limit == nil || bytes.Compare(keys[i], limit) < 0)
}

func (f *pageFile) leaf(b []byte, name string, count int, root bool, least, limit []byte) error {
	if pageHeader+count*elementSize > len(b) {
		return fmt.Errorf("page %s has %d elements", name, count)
	}
	keys := make([][]byte, count)
	for i := range count {
		key, value, err := element(b, i, true)
		if err != nil {
			return fmt.Errorf("page %s: %w", name, err)
		}
		keys[i] = key
		if !ordered(keys, i, least, limit) {
			return fmt.Errorf("page %s: its keys are out of order", name)
		}
		switch flags := le32(b[pageHeader+i*elementSize:]); {
		case flags == 0:
		case flags == 1 && root:
			f.names = append(f.names, string(key))
			if err := f.bucket(key, value); err != nil {
				return fmt.Errorf("bucket %q: %w", key, err)
			}
		default:
			return fmt.Errorf("page %s: an element is of an unknown kind", name)
		}
	}
	return nil
}

// bucket checks a bucket: the number of its root page and a sequence, or, where that is 0, the page inline.
func (f *pageFile) bucket(name, value []byte) error {
	if len(value) < 16 {
		return errors.New("is cut off")
	}
	if root := binary.LittleEndian.Uint64(value); root != 0 {
		return f.walk(root, false, maxDepth, nil, nil)
	}
	b := value[16:]
	if len(b) < pageHeader || binary.LittleEndian.Uint16(b[8:]) != pageLeaf {
		return errors.New("is malformed")
	}
	return f.leaf(b, fmt.Sprintf("in %q", name), int(binary.LittleEndian.Uint16(b[10:])), false, nil, nil)
}

// checkFree checks that no free page is in use and, if deep, that every page that is not is free.
func (f *pageFile) checkFree() error {
	b, err := f.page(f.meta.freelist, true)
	if err != nil {
		return fmt.Errorf("free list: %w", err)
	}
	if binary.LittleEndian.Uint16(b[8:]) != pageFreelist {
		return errors.New("free list: its page is of another kind")
	}
	ids, count := b[pageHeader:], uint64(binary.LittleEndian.Uint16(b[10:]))
	if count == 0xFFFF {
		count, ids = binary.LittleEndian.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids))/8 {
		return fmt.Errorf("free list: %d pages do not fit in it", count)
	}
	last := uint64(0)
	for ; count > 0; count, ids = count-1, ids[8:] {
		id := binary.LittleEndian.Uint64(ids)
		if id <= last || id >= f.meta.pages || f.seen[id] {
			return fmt.Errorf("free list: page %d is in use, or there is no such page", id)
		}
		last, f.seen[id] = id, true
	}
	for id, seen := range f.seen {
		if !seen {
			return fmt.Errorf("page %d is neither used nor free", id)
		}
	}
	return nil
}
