package web

import (
	"encoding/base64"
	"iter"
	"net/netip"

	"brownout/probe"
)

// Frames is what every address did in a run of full rounds, in two bits each: what the address map plays. All rounds of an
// answer are of one space.
type Frames struct {
	Space     []string        `json:"space"`     // CIDRs; addresses are numbered in their order
	Addresses int             `json:"addresses"` // in it
	Bytes     int             `json:"bytes"`     // of a frame: addresses/4, rounded up
	Start     []probe.Instant `json:"start"`     // of the rounds
	End       []probe.Instant `json:"end"`
	Data      string          `json:"data"`  // base64 of the frames one after another; the first address is in the lowest bits
	Usual     string          `json:"usual"` // base64 of a frame of those that usually answer, as was learned up to now
	Next      *probe.Instant  `json:"next"`  // ask again since this round; null: there is no more
}

// What an address did in a round, whatever the protocol.
const (
	cellUnknown     = iota // not asked, or our own connectivity was bad
	cellSilent             // asked, and no answer
	cellUnreachable        // an ICMP error said that it cannot be reached
	cellAnswers            // by at least one protocol
)

const (
	defaultFrames = 300
	mostFrames    = 5000
	mostFrameData = 1 << 20 // bytes
)

func (h *handler) frames(a *answer) error {
	a.p.word("format", "json")
	now := probe.InstantOf(h.opt.Now())
	from, to := a.p.spanOr(now.Add(-dayMS), now.Add(1))
	limit := a.p.number("limit", defaultFrames, 1, mostFrames)
	if err := a.p.done(); err != nil {
		return err
	}
	f, err := readFrames(a.rounds(h.src.Rounds(from, to, false)), limit)
	if err != nil {
		return err
	}
	usual, err := h.usual()
	if err != nil {
		return err
	}
	if f.Usual, err = usualFrame(f.Space, usual); err != nil {
		return err
	}
	return object(a, f)
}

// readFrames reads full rounds as long as their space stays the same. The last of all is left out while it is under way.
func readFrames(rounds iter.Seq2[*probe.Round, error], limit int) (*Frames, error) {
	f := &Frames{Space: []string{}, Start: []probe.Instant{}, End: []probe.Instant{}}
	var space probe.Space
	var data []byte
	last := true // whether the latest frame is of a whole round
	for r, err := range rounds {
		if err != nil {
			return nil, err
		}
		if r.Kind != probe.Full {
			continue
		}
		if len(f.Start) == 0 {
			space = r.Space
			f.Addresses, f.Bytes = space.Len(), (space.Len()+3)/4
			for _, p := range space.Prefixes() {
				f.Space = append(f.Space, p.String())
			}
		}
		if full := len(data)+f.Bytes > mostFrameData && len(data) > 0; !r.Space.Equal(space) || len(f.Start) == limit || full {
			next := r.Start
			f.Next = &next
			break
		}
		f.Start, f.End = append(f.Start, r.Start), append(f.End, r.End)
		data = append(data, frameOf(r)...)
		last = r.Whole()
	}
	if n := len(f.Start) - 1; n > 0 && !last && f.Next == nil {
		f.Start, f.End, data = f.Start[:n], f.End[:n], data[:n*f.Bytes]
	}
	f.Data = base64.StdEncoding.EncodeToString(data)
	return f, nil
}

// usualFrame is a frame in which those answer that usually do: what the rounds shown say of it is nothing, where all of them
// lie in an outage.
func usualFrame(cidrs []string, usual map[netip.Addr]bool) (string, error) {
	if len(cidrs) == 0 {
		return "", nil
	}
	space, err := probe.ParseSpace(cidrs, nil)
	if err != nil {
		return "", err
	}
	cells := make([]byte, space.Len())
	for addr := range usual {
		if i, ok := space.Index(addr); ok {
			cells[i] = cellAnswers
		}
	}
	return base64.StdEncoding.EncodeToString(packed(cells)), nil
}

// frameOf packs a round.
func frameOf(r *probe.Round) []byte { return packed(cellsOf(r)) }

func packed(cells []byte) []byte {
	frame := make([]byte, (len(cells)+3)/4)
	for i, c := range cells {
		frame[i/4] |= c << (i % 4 * 2)
	}
	return frame
}

// cellsOf is what each address of a round's space did.
func cellsOf(r *probe.Round) []byte {
	cells := make([]byte, r.Space.Len())
	for i := range r.Passes {
		p := &r.Passes[i]
		same := p.Targets.Equal(r.Space)
		put := func(target int32, c byte) {
			at, ok := int(target), true
			if !same {
				at, ok = r.Space.Index(p.Targets.Addr(int(target)))
			}
			if ok {
				cells[at] = max(cells[at], c)
			}
		}
		if trusted := silenceCounts(r, i); trusted != nil {
			for target := range p.Silent() {
				if trusted(target) {
					put(target, cellSilent)
				}
			}
		}
		for k := range p.Answers {
			put(p.Answers[k].Target, cellOf(p.Answers[k].Outcome))
		}
	}
	return cells
}

func cellOf(o probe.Outcome) byte {
	if o == probe.Unreachable {
		return cellUnreachable
	}
	return cellAnswers
}

// silenceCounts says of which targets of a pass silence counts; nil: of none.
func silenceCounts(r *probe.Round, pass int) func(target int32) bool {
	switch {
	case !r.VantageOK:
		return nil
	case len(r.VantageBad) == 0:
		return func(int32) bool { return true }
	}
	w := r.Witness()
	return func(target int32) bool { _, _, _, trusted := w.Of(pass, target); return trusted }
}
