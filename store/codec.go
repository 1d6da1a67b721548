package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"brownout/probe"
)

// The binary form of a round, version 1, beside its frame:
//
//	version 1 byte, flags uvarint, frame uvarint
//	link to the round before it: milliseconds from start to start <<2 | its kind, uvarint, unless flagFirst
//	End - Start - Span, in milliseconds, zigzag
//	seed, 8 bytes, if flagSeed; then vantage windows, slack and until, if their flags are set
//	unsent targets as runs, if flagUnsent
//	number of answers per pass; then, over all answers of all passes: column of the gaps between targets, outcomes as
//	runs, column of offsets from the plan, column of RTTs
//	what flagFirsts, flagErrors and flagSilent announce
//
// Send times are kept as differences from the plan that the seed gives, RTTs as the numbers of their quantisation steps.
// Equal records are equal bytes.
const roundVersion = 1

const (
	flagSealed     = 1 << iota // the round is final
	flagSeeded                 // Round.Seeded
	flagSeed                   // Round.Seed is not 0
	flagFirst                  // no round stands before it
	flagVantageBad             // not Round.VantageOK
	flagUnverified             // Round.Unverified
	flagWindows                // Round.VantageBad
	flagSlack                  // Round.Slack
	flagUntil                  // Round.Until
	flagUnsent                 // some Pass.Unsent
	flagSilent                 // some Pass.SilentMS
	flagFirsts                 // some Answer.First
	flagErrors                 // some Answer has Type, Code or From
	flagsKnown     = 1<<iota - 1
)

// record is a round as it stands in its bucket.
type record struct {
	round  *probe.Round
	sealed bool
	linked bool // whether a round stands before it
	before key  // that round
}

// appendRecord encodes rec, adding its frame to f if it is new. What the encoding could not give back is an error.
func appendRecord(b []byte, rec *record, f *frames) ([]byte, error) {
	r := rec.round
	if err := encodable(r); err != nil {
		return nil, err
	}
	id, err := f.frameID(r)
	if err != nil {
		return nil, err
	}
	flags := recordFlags(rec)
	b = append(b, roundVersion)
	b = binary.AppendUvarint(b, flags)
	b = binary.AppendUvarint(b, id)
	if flags&flagFirst == 0 {
		b = binary.AppendUvarint(b, uint64(r.Start-rec.before.start)<<2|uint64(rec.before.kind))
	}
	b = appendZigzag(b, int64(r.End-r.Start)-r.Span.Milliseconds())
	if flags&flagSeed != 0 {
		b = binary.LittleEndian.AppendUint64(b, r.Seed)
	}
	if flags&flagWindows != 0 {
		b = binary.AppendUvarint(b, uint64(len(r.VantageBad)))
		for _, w := range r.VantageBad {
			b = appendZigzag(b, w.From)
			b = appendZigzag(b, w.To-w.From)
		}
	}
	if flags&flagSlack != 0 {
		b = appendZigzag(b, r.Slack)
	}
	if flags&flagUntil != 0 {
		b = appendZigzag(b, int64(r.Until-r.Start))
	}
	return appendPasses(b, r, flags), nil
}

func appendZigzag(b []byte, v int64) []byte { return binary.AppendUvarint(b, zigzag(v)) }

func recordFlags(rec *record) uint64 {
	r := rec.round
	var flags uint64
	set := func(on bool, flag uint64) {
		if on {
			flags |= flag
		}
	}
	set(rec.sealed, flagSealed)
	set(r.Seeded, flagSeeded)
	set(r.Seed != 0, flagSeed)
	set(!rec.linked, flagFirst)
	set(!r.VantageOK, flagVantageBad)
	set(r.Unverified, flagUnverified)
	set(len(r.VantageBad) > 0, flagWindows)
	set(r.Slack != 0, flagSlack)
	set(r.Until != 0, flagUntil)
	for i := range r.Passes {
		p := &r.Passes[i]
		set(len(p.Unsent) > 0, flagUnsent)
		set(len(p.SilentMS) > 0, flagSilent)
		for k := range p.Answers {
			set(p.Answers[k].First != probe.UnknownOffset, flagFirsts)
			set(evidenceOf(&p.Answers[k]) != (evidence{}), flagErrors)
		}
	}
	return flags
}

// encodable checks what the encoding takes for granted.
func encodable(r *probe.Round) error {
	if r.Kind > probe.Confirm {
		return fmt.Errorf("%v is no kind of round", r.Kind)
	}
	for i := range r.Passes {
		if err := encodablePass(&r.Passes[i]); err != nil {
			return fmt.Errorf("%v: %w", r.Passes[i].Protocol, err)
		}
	}
	return nil
}

func encodablePass(p *probe.Pass) error {
	targets := int32(p.Targets.Len())
	for i, u := range p.Unsent {
		if u < 0 || u >= targets || i > 0 && u <= p.Unsent[i-1] {
			return fmt.Errorf("unsent[%d] is %d: want ascending indices below %d", i, u, targets)
		}
	}
	unsent := p.Unsent
	for i := range p.Answers {
		a := &p.Answers[i]
		if a.Target < 0 || a.Target >= targets || i > 0 && a.Target <= p.Answers[i-1].Target {
			return fmt.Errorf("answers[%d] is of target %d: want ascending indices below %d", i, a.Target, targets)
		}
		for len(unsent) > 0 && unsent[0] < a.Target {
			unsent = unsent[1:]
		}
		switch {
		case len(unsent) > 0 && unsent[0] == a.Target:
			return fmt.Errorf("target %d both answered and is unsent", a.Target)
		case a.Outcome == probe.Timeout || a.Outcome >= probe.Unsent:
			return fmt.Errorf("answer of target %d: %v is no answer", a.Target, a.Outcome)
		case a.RTT != probe.QuantiseRTT(a.RTT):
			return fmt.Errorf("answer of target %d: rtt %d us is not quantised", a.Target, a.RTT)
		case a.Offset < probe.UnknownOffset || a.First < probe.UnknownOffset:
			return fmt.Errorf("answer of target %d: negative send time", a.Target)
		}
	}
	if n := int(targets) - len(p.Unsent) - len(p.Answers); len(p.SilentMS) > 0 && len(p.SilentMS) != n {
		return fmt.Errorf("%d silent send times for %d silent targets", len(p.SilentMS), n)
	}
	for _, at := range p.SilentMS {
		if at < probe.UnknownOffset {
			return errors.New("negative send time of a silent target")
		}
	}
	return nil
}

// decodeRecord reads the record that stands under k. The round shares nothing with b.
func decodeRecord(b []byte, k key, f *frames) (*record, error) {
	in := reader{b: b}
	if v := in.byte(); v != roundVersion && in.err == nil {
		return nil, fmt.Errorf("round encoding %d is not known", v)
	}
	flags := in.uvarint()
	if flags&^uint64(flagsKnown) != 0 {
		return nil, fmt.Errorf("unknown flags %#x", flags)
	}
	fr, ok := f.frame(in.uvarint())
	if in.err == nil && !ok {
		return nil, errors.New("names no frame")
	}
	r := &probe.Round{
		Kind: k.kind, Start: k.start, Span: fr.span, Timeout: fr.timeout, Scale: fr.scale, Vantage: fr.vantage,
		Seeded: flags&flagSeeded != 0, VantageOK: flags&flagVantageBad == 0, Unverified: flags&flagUnverified != 0,
	}
	rec := &record{round: r, sealed: flags&flagSealed != 0}
	if flags&flagFirst == 0 {
		link := in.uvarint()
		rec.linked, rec.before = true, key{start: r.Start - probe.Instant(link>>2), kind: probe.Kind(link & 3)}
	}
	r.End = r.Start.Add(in.varint() + r.Span.Milliseconds())
	if flags&flagSeed != 0 {
		r.Seed = in.uint64()
	}
	if flags&flagWindows != 0 {
		r.VantageBad = make([]probe.Window, in.count(len(in.b)/2))
		for i := range r.VantageBad {
			from := in.varint()
			r.VantageBad[i] = probe.Window{From: from, To: from + in.varint()}
		}
	}
	if flags&flagSlack != 0 {
		r.Slack = in.varint()
	}
	if flags&flagUntil != 0 {
		r.Until = r.Start.Add(in.varint())
	}
	if in.err != nil {
		return nil, in.err
	}
	if err := decodePasses(&in, r, &fr, flags, f); err != nil {
		return nil, err
	}
	if err := in.end(); err != nil {
		return nil, err
	}
	return rec, nil
}

// rttCode numbers the values of QuantiseRTT in order: 0 to 127 are themselves, then 64 to each power of two.
func rttCode(us uint32) uint64 {
	code := uint64(us)
	shift := uint64(0)
	for ; code > 127; code >>= 1 {
		shift++
	}
	return code + shift*64
}

func rttOf(code uint64) (us uint32, err error) {
	if code < 128 {
		return uint32(code), nil
	}
	shift, mantissa := code/64-1, code%64+64
	if shift > 25 {
		return 0, errors.New("an RTT is out of range")
	}
	return uint32(mantissa << shift), nil
}

// offsetCode is a send time as its difference from the planned one; 0 is unknown.
func offsetCode(at, planned int32) uint64 {
	if at == probe.UnknownOffset {
		return 0
	}
	return zigzag(int64(at)-int64(planned)) + 1
}

func offsetOf(code uint64, planned int32) (int32, error) {
	if code == 0 {
		return probe.UnknownOffset, nil
	}
	at := unzigzag(code-1) + int64(planned)
	if at < 0 || at > 1<<31-1 {
		return 0, errors.New("a send time is out of range")
	}
	return int32(at), nil
}

// planner gives planned send times, in milliseconds; 0 where the plan is unknown.
type planner struct{ plan *probe.Plan }

func plannerOf(r *probe.Round) planner {
	if !r.Seeded || r.Span == 0 {
		return planner{}
	}
	return planner{r.Plan()}
}

func (p planner) at(pass int, target int32) int32 {
	if p.plan == nil {
		return 0
	}
	return int32(p.plan.Offset(pass, int(target)) / time.Millisecond)
}
