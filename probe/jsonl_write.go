package probe

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"
)

// RoundWriter writes rounds as JSON Lines.
type RoundWriter struct {
	out  *bufio.Writer // empty between two lines
	head headerJSON
}

// NewRoundWriter writes to w. After each line, all of it is written.
func NewRoundWriter(w io.Writer) *RoundWriter {
	return &RoundWriter{out: bufio.NewWriter(w), head: headerJSON{TimeoutMS: DefaultTimeout.Milliseconds(), Scale: 1}}
}

// Header writes the first line: the blocks' prefix length, and the timeout and scale of rounds that do not say theirs.
func (w *RoundWriter) Header(blockBits int, timeout time.Duration, scale int64) error {
	plan := PlanVersion
	w.head = headerJSON{Kind: "header", Version: interchangeVersion, BlockBits: blockBits, TimeoutMS: timeout.Milliseconds(), Plan: &plan, Scale: scale}
	line := w.head
	if scale == 1 {
		line.Scale = 0
	}
	if err := json.NewEncoder(w.out).Encode(line); err != nil {
		return fmt.Errorf("write header: %w", err)
	}
	if err := w.out.Flush(); err != nil {
		return fmt.Errorf("write header: %w", err)
	}
	return nil
}

// Write writes one round. Its answers and silences, which may be a million, go out one by one.
func (w *RoundWriter) Write(r *Round) error {
	err := w.openList(w.lineOf(r))
	for i := range r.Passes {
		if err == nil {
			err = w.pass(r, &r.Passes[i], i)
		}
	}
	if err == nil {
		w.out.WriteString("]}\n")
		err = w.out.Flush() // with the error of every write before
	}
	if err != nil {
		return fmt.Errorf("write round of %v: %w", r.Start, err)
	}
	return nil
}

// openList writes an object whose last field is an empty list, up to where that list's first element belongs.
func (w *RoundWriter) openList(object any) error {
	b, err := json.Marshal(object)
	if err != nil {
		return err
	}
	_, err = w.out.Write(bytes.TrimSuffix(b, []byte("]}")))
	return err
}

// comma parts an element of a list from the one before.
func (w *RoundWriter) comma(index int) {
	if index > 0 {
		w.out.WriteByte(',')
	}
}

// lineOf is a round without its passes.
func (w *RoundWriter) lineOf(r *Round) *roundJSON {
	line := roundJSON{
		Start: &r.Start, End: &r.End, Kind: r.Kind, Vantage: r.Vantage, VantageOK: &r.VantageOK,
		Space: prefixStrings(r.Space), SlackMS: r.Slack, Probes: []probeJSON{},
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
	return &line
}

func (w *RoundWriter) pass(r *Round, p *Pass, index int) error {
	w.comma(index)
	if err := w.openList(passJSON(r, p)); err != nil {
		return err
	}
	for i := range p.Answers {
		w.comma(i)
		w.out.Write(appendAnswer(w.out.AvailableBuffer(), p, &p.Answers[i]))
	}
	w.out.WriteByte(']')
	w.silences(p.SilentMS)
	return w.out.WriteByte('}')
}

// silences writes the field of silent probes' send times, where there are any.
func (w *RoundWriter) silences(ms []int32) {
	if len(ms) == 0 {
		return
	}
	w.out.WriteString(`,"silent_ms":[`)
	for i, at := range ms {
		w.comma(i)
		if at == UnknownOffset {
			w.out.WriteString("null")
			continue
		}
		w.out.Write(strconv.AppendInt(w.out.AvailableBuffer(), int64(at), 10))
	}
	w.out.WriteByte(']')
}

// passJSON is a pass without its answers and silences.
func passJSON(r *Round, p *Pass) probeJSON {
	sent := p.Targets.Len() - len(p.Unsent)
	out := probeJSON{Protocol: p.Protocol, Sent: &sent, Unsent: []string{}, Answers: []answerJSON{}}
	if r.Kind != Full || !p.Targets.Equal(r.Space) {
		out.Targets = prefixStrings(p.Targets)
	}
	if len(p.Unsent) > 0 {
		out.Unsent = prefixStrings(p.Targets.subset(p.Unsent))
	}
	return out
}

// appendAnswer appends an answer as encoding/json would write an [answerJSON], several times as fast.
func appendAnswer(b []byte, p *Pass, a *Answer) []byte {
	b = p.Targets.Addr(int(a.Target)).AppendTo(append(b, `{"address":"`...))
	b = append(append(b, `","outcome":"`...), a.Outcome.String()...)
	b = append(b, '"')
	b = appendOffset(b, `,"offset_ms":`, a.Offset)
	b = appendOffset(b, `,"first_ms":`, a.First)
	if a.RTT > 0 {
		b = strconv.AppendUint(append(b, `,"rtt_us":`...), uint64(a.RTT), 10)
	}
	if a.Outcome == Unreachable {
		b = strconv.AppendUint(append(b, `,"type":`...), uint64(a.Type), 10)
		b = strconv.AppendUint(append(b, `,"code":`...), uint64(a.Code), 10)
		if a.From.IsValid() {
			b = append(a.From.AppendTo(append(b, `,"from":"`...)), '"')
		}
	}
	return append(b, '}')
}

// appendOffset appends a field and the offset it holds, where that is known.
func appendOffset(b []byte, field string, ms int32) []byte {
	if ms == UnknownOffset {
		return b
	}
	return strconv.AppendInt(append(b, field...), int64(ms), 10)
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
