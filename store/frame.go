package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"brownout/probe"
)

// frame is what a round shares with most others: it is stored once and then referred to by number, as are the sets of
// targets.
type frame struct {
	space   uint64 // number of the space
	span    time.Duration
	timeout time.Duration
	scale   int64
	vantage string
	passes  []framePass
}

type framePass struct {
	protocol probe.Protocol
	targets  uint64 // number of the space
}

// frames numbers the spaces and frames of a store from 0. It is safe for one that adds and many that read.
type frames struct {
	mu       sync.RWMutex
	spaces   []probe.Space
	frames   []frame
	spaceIDs map[string]uint64 // by encoding
	frameIDs map[string]uint64
}

func newFrames() *frames {
	return &frames{spaceIDs: map[string]uint64{}, frameIDs: map[string]uint64{}}
}

// clone is a copy that grows apart.
func (f *frames) clone() *frames {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return &frames{
		spaces: slices.Clone(f.spaces), frames: slices.Clone(f.frames),
		spaceIDs: maps.Clone(f.spaceIDs), frameIDs: maps.Clone(f.frameIDs),
	}
}

// mark is a state of frames that rollback returns to.
type mark struct{ spaces, frames int }

func (f *frames) mark() mark {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return mark{len(f.spaces), len(f.frames)}
}

func (f *frames) rollback(to mark) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for key, id := range f.spaceIDs {
		if id >= uint64(to.spaces) {
			delete(f.spaceIDs, key)
		}
	}
	for key, id := range f.frameIDs {
		if id >= uint64(to.frames) {
			delete(f.frameIDs, key)
		}
	}
	f.spaces, f.frames = f.spaces[:to.spaces:to.spaces], f.frames[:to.frames:to.frames]
}

func (f *frames) space(id uint64) (probe.Space, bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if id >= uint64(len(f.spaces)) {
		return probe.Space{}, false
	}
	return f.spaces[id], true
}

func (f *frames) frame(id uint64) (frame, bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if id >= uint64(len(f.frames)) {
		return frame{}, false
	}
	return f.frames[id], true
}

// spaceID numbers s, as a new space if need be.
func (f *frames) spaceID(s probe.Space) uint64 {
	key := string(appendSpace(nil, s))
	f.mu.Lock()
	defer f.mu.Unlock()
	id, ok := f.spaceIDs[key]
	if !ok {
		id = uint64(len(f.spaces))
		f.spaces = append(f.spaces, s)
		f.spaceIDs[key] = id
	}
	return id
}

// frameID numbers r's frame, as a new one if need be.
func (f *frames) frameID(r *probe.Round) (uint64, error) {
	if r.Span%time.Millisecond != 0 || r.Timeout%time.Millisecond != 0 || r.Span < 0 || r.Timeout < 0 || r.Scale < 0 {
		return 0, fmt.Errorf("span %v, timeout %v and scale %d must be whole, non-negative milliseconds and a non-negative factor", r.Span, r.Timeout, r.Scale)
	}
	fr := frame{space: f.spaceID(r.Space), span: r.Span, timeout: r.Timeout, scale: r.Scale, vantage: r.Vantage}
	for i := range r.Passes {
		p := &r.Passes[i]
		if i > 0 && r.Passes[i-1].Protocol.Compare(p.Protocol) >= 0 {
			return 0, fmt.Errorf("protocol %v stands after %v", p.Protocol, r.Passes[i-1].Protocol)
		}
		id := fr.space
		if !p.Targets.Equal(r.Space) {
			id = f.spaceID(p.Targets)
		}
		fr.passes = append(fr.passes, framePass{p.Protocol, id})
	}
	return f.addFrame(&fr), nil
}

// addFrame numbers fr, as a new frame if need be.
func (f *frames) addFrame(fr *frame) uint64 {
	key := string(appendFrame(nil, fr))
	f.mu.Lock()
	defer f.mu.Unlock()
	id, ok := f.frameIDs[key]
	if !ok {
		id = uint64(len(f.frames))
		f.frames = append(f.frames, *fr)
		f.frameIDs[key] = id
	}
	return id
}

// Versions of the two encodings, their first byte.
const (
	spaceVersion = 1
	frameVersion = 1
)

func appendSpace(b []byte, s probe.Space) []byte {
	b = append(b, spaceVersion)
	b = binary.AppendUvarint(b, uint64(len(s.Prefixes())))
	for _, p := range s.Prefixes() {
		addr := p.Addr().AsSlice()
		b = append(b, byte(len(addr)), byte(p.Bits()))
		b = append(b, addr...)
	}
	return b
}

func decodeSpace(b []byte) (probe.Space, error) {
	r := reader{b: b}
	if v := r.byte(); v != spaceVersion && r.err == nil {
		return probe.Space{}, fmt.Errorf("space encoding %d is not known", v)
	}
	prefixes := make([]netip.Prefix, r.count(len(r.b)/6))
	for i := range prefixes {
		size, width := r.byte(), int(r.byte())
		addr, ok := netip.AddrFromSlice(r.bytes(int(size)))
		if !ok || addr.Is4In6() || width > addr.BitLen() {
			r.fail(errors.New("malformed prefix"))
			break
		}
		prefixes[i] = netip.PrefixFrom(addr, width)
	}
	if err := r.end(); err != nil {
		return probe.Space{}, err
	}
	s, err := probe.SpaceOf(prefixes...)
	if err == nil && !slices.Equal(s.Prefixes(), prefixes) {
		err = errors.New("prefixes are out of order or overlap")
	}
	return s, err
}

func appendFrame(b []byte, f *frame) []byte {
	b = append(b, frameVersion)
	b = binary.AppendUvarint(b, f.space)
	b = binary.AppendUvarint(b, uint64(f.span.Milliseconds()))
	b = binary.AppendUvarint(b, uint64(f.timeout.Milliseconds()))
	b = binary.AppendUvarint(b, uint64(f.scale))
	b = binary.AppendUvarint(b, uint64(len(f.vantage)))
	b = append(b, f.vantage...)
	b = binary.AppendUvarint(b, uint64(len(f.passes)))
	for _, p := range f.passes {
		b = binary.AppendUvarint(b, uint64(p.protocol.Code()))
		b = binary.AppendUvarint(b, p.targets)
	}
	return b
}

// decodeFrame reads a frame that refers to none but the first n spaces.
func decodeFrame(b []byte, n int) (frame, error) {
	r := reader{b: b}
	if v := r.byte(); v != frameVersion && r.err == nil {
		return frame{}, fmt.Errorf("frame encoding %d is not known", v)
	}
	f := frame{space: r.uvarint()}
	f.span, f.timeout = r.milliseconds(), r.milliseconds()
	f.scale = int64(r.uvarint())
	f.vantage = r.text()
	passes := r.count(len(r.b) / 2)
	for range passes {
		protocol, err := probe.ProtocolOf(uint32(min(r.uvarint(), 1<<32-1)))
		if err != nil {
			r.fail(err)
		}
		f.passes = append(f.passes, framePass{protocol, r.uvarint()})
	}
	if err := r.end(); err != nil {
		return frame{}, err
	}
	for i, p := range f.passes {
		if i > 0 && f.passes[i-1].protocol.Compare(p.protocol) >= 0 || p.targets >= uint64(n) {
			return frame{}, fmt.Errorf("pass %d is out of order or names no space", i)
		}
	}
	if f.space >= uint64(n) || f.scale < 0 {
		return frame{}, errors.New("names no space, or a negative scale")
	}
	return f, nil
}

// milliseconds reads a duration that was written as whole milliseconds.
func (r *reader) milliseconds() time.Duration {
	const limit = uint64(1<<63-1) / uint64(time.Millisecond)
	ms := r.uvarint()
	if ms > limit {
		r.fail(errors.New("a duration is too long"))
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}
