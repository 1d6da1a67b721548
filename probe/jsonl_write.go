package probe

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// RoundWriter writes rounds as JSON Lines.
type RoundWriter struct {
	out  *json.Encoder
	head headerJSON
}

// NewRoundWriter writes to w without a buffer of its own.
func NewRoundWriter(w io.Writer) *RoundWriter {
	return &RoundWriter{out: json.NewEncoder(w), head: headerJSON{TimeoutMS: DefaultTimeout.Milliseconds(), Scale: 1}}
}

// Header writes the first line: the blocks' prefix length, and the timeout and scale of rounds that do not say theirs.
func (w *RoundWriter) Header(blockBits int, timeout time.Duration, scale int64) error {
	plan := PlanVersion
	w.head = headerJSON{Kind: "header", Version: interchangeVersion, BlockBits: blockBits, TimeoutMS: timeout.Milliseconds(), Plan: &plan, Scale: scale}
	line := w.head
	if scale == 1 {
		line.Scale = 0
	}
	if err := w.out.Encode(line); err != nil {
		return fmt.Errorf("write header: %w", err)
	}
	return nil
}

// Write writes one round.
func (w *RoundWriter) Write(r *Round) error {
	line := roundJSON{
		Start: &r.Start, End: &r.End, Kind: r.Kind, Vantage: r.Vantage, VantageOK: &r.VantageOK,
		Space: prefixStrings(r.Space), SlackMS: r.Slack,
	}
	if r.Unverified {
		line.VantageVerified = new(bool)
	}
	if r.Seeded {
		line.Seed = (*seedJSON)(&r.Seed)
	}
	if span := r.Span.Milliseconds(); span != int64(r.End-r.Start) {
		line.SpanMS = &span
	}
	if ms := r.Timeout.Milliseconds(); ms != w.head.TimeoutMS {
		line.TimeoutMS = ms
	}
	if r.Scale != w.head.Scale {
		line.Scale = r.Scale
	}
	if r.Until != 0 {
		ms := int64(r.Until - r.Start)
		line.UntilMS = &ms
	}
	for _, v := range r.VantageBad {
		line.VantageBad = append(line.VantageBad, [2]int64{v.From, v.To})
	}
	for i := range r.Passes {
		line.Probes = append(line.Probes, passJSON(r, &r.Passes[i]))
	}
	if err := w.out.Encode(&line); err != nil {
		return fmt.Errorf("write round of %v: %w", r.Start, err)
	}
	return nil
}

func passJSON(r *Round, p *Pass) probeJSON {
	sent := p.Targets.Len() - len(p.Unsent)
	out := probeJSON{Protocol: p.Protocol, Sent: &sent, Unsent: []string{}, Answers: make([]answerJSON, len(p.Answers))}
	if r.Kind != Full || !p.Targets.Equal(r.Space) {
		out.Targets = prefixStrings(p.Targets)
	}
	if len(p.Unsent) > 0 {
		out.Unsent = prefixStrings(p.Targets.subset(p.Unsent))
	}
	for i := range p.Answers {
		out.Answers[i] = writeAnswer(p, &p.Answers[i])
	}
	for _, at := range p.SilentMS {
		out.SilentMS = append(out.SilentMS, writeOffset(at))
	}
	return out
}

func writeAnswer(p *Pass, a *Answer) answerJSON {
	out := answerJSON{
		Address: p.Targets.Addr(int(a.Target)), Outcome: a.Outcome,
		OffsetMS: writeOffset(a.Offset), FirstMS: writeOffset(a.First),
	}
	if a.RTT > 0 {
		us := float64(a.RTT)
		out.RTTUS = &us
	}
	if a.Outcome == Unreachable {
		out.Type, out.Code = &a.Type, &a.Code
		if a.From.IsValid() {
			out.From = &a.From
		}
	}
	return out
}

func writeOffset(ms int32) *float64 {
	if ms == UnknownOffset {
		return nil
	}
	f := float64(ms)
	return &f
}

func prefixStrings(s Space) []string {
	words := make([]string, len(s.Prefixes()))
	for i, p := range s.Prefixes() {
		words[i] = p.String()
		if p.IsSingleIP() {
			words[i] = p.Addr().String()
		}
	}
	return words
}
