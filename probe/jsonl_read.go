package probe

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
)

// maxLine bounds one line of JSON Lines, in bytes: a round of a million answers fits.
const maxLine = 256 << 20

// What a line may say, so that whatever is worked out of it is a time that can be written.
const (
	longestLine  = 20 * 24 * time.Hour       // from a round's start to its end, and to whatever is told of it
	longestQuiet = 10 * 365 * 24 * time.Hour // from the last round's start to where it was judged up to: the agent may have been off since
	longestWait  = time.Hour                 // of a timeout
	earliestYear = 1970                      // queries begin there
	latestYear   = 2199
)

// RoundReader reads rounds from JSON Lines.
type RoundReader struct {
	in     *bufio.Scanner
	line   int
	head   headerJSON
	last   Instant
	equals []*Round         // those that start at last
	spaces map[string]Space // by their JSON form: lines repeat the same few

	given []givenSpace // by full rounds, the latest last
	turns int          // rounds of late that each returned to a space that had been left
}

// NewRoundReader reads from r, which it buffers.
func NewRoundReader(r io.Reader) *RoundReader {
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 64<<10), maxLine)
	return &RoundReader{in: in, last: math.MinInt64, spaces: map[string]Space{}}
}

// BlockBits is what the header, if one was read, says of the blocks' prefix length; else 0.
func (r *RoundReader) BlockBits() int { return r.head.BlockBits }

// Next is the next round, or io.EOF after the last. A line that cannot be read, or that starts before its predecessor
// or stands twice, is a *LineError.
func (r *RoundReader) Next() (*Round, error) {
	for r.in.Scan() {
		r.line++
		line := bytes.TrimSpace(r.in.Bytes())
		if r.line == 1 {
			line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
		}
		if len(line) == 0 {
			continue
		}
		round, err := r.parse(line)
		if cut := r.in.Err(); err != nil && cut != nil { // the line is what came before reading failed
			return nil, fmt.Errorf("read rounds after line %d: %w", r.line-1, cut)
		}
		if err != nil {
			return nil, &LineError{r.line, err}
		}
		if round != nil {
			return round, nil
		}
	}
	switch err := r.in.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, &LineError{r.line + 1, fmt.Errorf("longer than %d MiB", maxLine>>20)}
	case err != nil:
		return nil, fmt.Errorf("read rounds after line %d: %w", r.line, err)
	}
	return nil, io.EOF
}

// parse is nil without an error for a header.
func (r *RoundReader) parse(line []byte) (*Round, error) {
	if kind := kindOf(line); kind == "header" {
		return nil, r.header(line)
	}
	var in roundJSON
	if err := json.Unmarshal(line, &in); err != nil {
		return nil, cmp.Or(timeError(line), describe(err))
	}
	round, err := r.round(&in)
	if err != nil {
		return nil, err
	}
	return round, r.follow(round)
}

// Line is the number, from 1, of the line that was read last.
func (r *RoundReader) Line() int { return r.line }

// follow refuses a round that starts before the one above it, or that stands twice.
func (r *RoundReader) follow(round *Round) error {
	if round.Start < r.last {
		return fmt.Errorf("starts at %v, before the line above it: sort the lines by start", round.Start)
	}
	if round.Start > r.last {
		r.last, r.equals = round.Start, nil
	}
	for _, other := range r.equals {
		if round.Kind == Full && other.Kind == Full && !round.Space.Equal(other.Space) {
			return fmt.Errorf("a round of %v has another space in a line above: give the whole space in both, and by `targets` what each asked", round.Start)
		}
		if p, same := repeats(round, other); same {
			return fmt.Errorf("the %v of %v stands twice: a line above it has the same targets by %v", round.Kind, round.Start, p)
		}
	}
	r.equals = append(r.equals, round)
	if round.Kind != Full {
		return nil
	}
	return r.turn(round.Space)
}

// givenSpace is a space and the line that gave it last.
type givenSpace struct {
	Space
	line int
}

const (
	mostTurns = 12 // rounds in a row that may each return to a space that had been left
	mostGiven = 64
)

// turn refuses spaces that take turns, round by round: they are parts of one, and each would be judged to have left it.
func (r *RoundReader) turn(s Space) error {
	before, last := slices.IndexFunc(r.given, func(g givenSpace) bool { return g.Equal(s) }), len(r.given)-1
	switch {
	case before < 0:
		r.turns = 0
		if len(r.given) == mostGiven {
			r.given = slices.Delete(r.given, 0, 1)
		}
		r.given = append(r.given, givenSpace{s, r.line})
		return nil
	case before == last:
		r.turns = 0
	default:
		r.turns++
	}
	was := r.given[before].line
	r.given = append(slices.Delete(r.given, before, before+1), givenSpace{s, r.line})
	if r.turns > mostTurns {
		return fmt.Errorf("the space changes with every round, and is that of line %d again: give the whole space in all lines, and by `targets` what each asked", was)
	}
	return nil
}

// repeats finds a protocol by which two rounds of one start, kind and vantage probe the same targets. Others may well stand
// beside each other: one line a protocol, a prefix or a vantage.
func repeats(a, b *Round) (p Protocol, same bool) {
	if a.Kind != b.Kind || a.Vantage != b.Vantage {
		return p, false
	}
	for i := range a.Passes {
		for k := range b.Passes {
			if p := a.Passes[i].Protocol; p == b.Passes[k].Protocol && a.Passes[i].Targets.String() == b.Passes[k].Targets.String() {
				return p, true
			}
		}
	}
	return p, false
}

// kindOf finds a header without decoding every line twice: a header is short.
func kindOf(line []byte) string {
	if len(line) > 4096 || !bytes.Contains(line, []byte(`"header"`)) {
		return ""
	}
	var k struct {
		Kind string `json:"kind"`
	}
	if json.Unmarshal(line, &k) != nil {
		return ""
	}
	return k.Kind
}

func (r *RoundReader) header(line []byte) error {
	if r.last != math.MinInt64 || r.head.Kind != "" {
		return errors.New("a header belongs on the first line only")
	}
	if err := json.Unmarshal(line, &r.head); err != nil {
		return describe(err)
	}
	switch h := &r.head; {
	case h.Version != interchangeVersion:
		return fmt.Errorf("header has v %d, and this program reads v %d", h.Version, interchangeVersion)
	case h.BlockBits < 0 || h.BlockBits > 32:
		return fmt.Errorf("header has block_bits %d, which is no IPv4 prefix length", h.BlockBits)
	}
	if err := checkClock(r.head.TimeoutMS, r.head.Scale); err != nil {
		return fmt.Errorf("header has %w", err)
	}
	return nil
}

// checkClock checks a timeout and a scale; 0 is one that is not named.
func checkClock(timeoutMS, scale int64) error {
	if err := within("timeout_ms", timeoutMS, 0, longestWait); err != nil {
		return err
	}
	most := longestLine.Milliseconds() / cmp.Or(timeoutMS, DefaultTimeout.Milliseconds())
	if scale < 0 || scale > most {
		return fmt.Errorf("scale %d: want 1 to %d, by which a timeout lasts at most 20 days", scale, most)
	}
	return nil
}

// within checks milliseconds.
func within(field string, ms int64, least, most time.Duration) error {
	if ms < least.Milliseconds() || ms > most.Milliseconds() {
		return fmt.Errorf("%s %d: want %d to %d", field, ms, least.Milliseconds(), most.Milliseconds())
	}
	return nil
}

// describe makes encoding/json's errors speak of the field.
func describe(err error) error {
	var typ *json.UnmarshalTypeError
	switch {
	case !errors.As(err, &typ):
		return err
	case typ.Field == "":
		return fmt.Errorf("want an object, not a JSON %s", typ.Value)
	}
	return fmt.Errorf("field %s cannot be a JSON %s", typ.Field, typ.Value)
}

// timeError says which of a round's times cannot be read, if one of them is what is wrong.
func timeError(line []byte) error {
	var in struct{ Start, End json.RawMessage }
	if json.Unmarshal(line, &in) != nil {
		return nil
	}
	var t Instant
	for _, f := range []struct {
		name string
		raw  json.RawMessage
	}{{"start", in.Start}, {"end", in.End}} {
		if f.raw == nil || string(f.raw) == "null" {
			continue
		}
		if err := json.Unmarshal(f.raw, &t); err != nil {
			return fmt.Errorf("field %s: %w", f.name, err)
		}
	}
	return nil
}

func (r *RoundReader) round(in *roundJSON) (*Round, error) {
	switch {
	case in.Start == nil:
		return nil, errors.New("field start is missing")
	case in.End == nil:
		return nil, errors.New("field end is missing")
	case in.Start.Time().Year() < earliestYear || in.Start.Time().Year() > latestYear:
		return nil, fmt.Errorf("start %v: want %d to %d", *in.Start, earliestYear, latestYear)
	case *in.End < *in.Start:
		return nil, fmt.Errorf("end %v is before start %v", *in.End, *in.Start)
	case int64(*in.End-*in.Start) > longestLine.Milliseconds():
		return nil, fmt.Errorf("end %v is more than 20 days after start %v", *in.End, *in.Start)
	case len(in.Space) == 0:
		return nil, errors.New("field space is missing or empty")
	case len(in.Probes) == 0:
		return nil, errors.New("field probes is missing or empty")
	}
	if strings.ContainsFunc(in.Vantage, unicode.IsControl) { // it is printed on terminals
		return nil, fmt.Errorf("field vantage: %q has a control character", in.Vantage)
	}
	space, err := r.space(in.Space)
	if err != nil {
		return nil, fmt.Errorf("field space: %w", err)
	}
	timeout, scale := cmp.Or(in.TimeoutMS, r.head.TimeoutMS, DefaultTimeout.Milliseconds()), cmp.Or(in.Scale, r.head.Scale, 1)
	if err := cmp.Or(checkClock(timeout, scale), within("slack_ms", in.SlackMS, 0, longestLine)); err != nil {
		return nil, err
	}
	out := &Round{
		Kind: in.Kind, Start: *in.Start, End: *in.End, Space: space, Vantage: in.Vantage,
		VantageOK:  in.VantageOK == nil || *in.VantageOK,
		Unverified: in.VantageVerified != nil && !*in.VantageVerified,
		Slack:      in.SlackMS,
		Span:       time.Duration(*in.End-*in.Start) * time.Millisecond,
		Timeout:    time.Duration(timeout) * time.Millisecond,
		Scale:      scale,
	}
	if in.Seed != nil && (r.head.Plan == nil || *r.head.Plan == PlanVersion) {
		out.Seed, out.Seeded = uint64(*in.Seed), true
	}
	if err := readTimes(in, out); err != nil {
		return nil, err
	}
	return out, r.passes(in, out)
}

// readTimes reads what is told in milliseconds after the start of a round, besides its probes.
func readTimes(in *roundJSON, out *Round) error {
	if in.SpanMS != nil {
		if err := within("span_ms", *in.SpanMS, 0, longestLine); err != nil {
			return err
		}
		out.Span = time.Duration(*in.SpanMS) * time.Millisecond
	}
	if in.UntilMS != nil {
		if err := within("until_ms", *in.UntilMS, 0, longestQuiet); err != nil {
			return err
		}
		out.Until = out.Start.Add(*in.UntilMS)
	}
	for i, w := range in.VantageBad {
		if w[0] > w[1] {
			return fmt.Errorf("vantage_bad[%d]: [%d,%d] ends before it begins", i, w[0], w[1])
		}
		if most := longestLine.Milliseconds(); w[0] < -most || w[1] > most {
			return fmt.Errorf("vantage_bad[%d]: [%d,%d]: want %d to %d", i, w[0], w[1], -most, most)
		}
		out.VantageBad = append(out.VantageBad, Window{w[0], w[1]})
	}
	return nil
}

func (r *RoundReader) space(prefixes []string) (Space, error) {
	key := fmt.Sprint(prefixes)
	if s, ok := r.spaces[key]; ok {
		return s, nil
	}
	s, err := ParseSpace(prefixes, nil)
	if err == nil && len(r.spaces) < 1024 {
		r.spaces[key] = s
	}
	return s, err
}

func (r *RoundReader) passes(in *roundJSON, out *Round) error {
	for i := range in.Probes {
		p := &in.Probes[i]
		if p.Protocol == (Protocol{}) {
			return fmt.Errorf("probes[%d]: field protocol is missing", i)
		}
		pass, err := r.pass(p, out)
		if err != nil {
			return fmt.Errorf("probes[%d] (%v): %w", i, p.Protocol, err)
		}
		out.Passes = append(out.Passes, pass)
	}
	slices.SortStableFunc(out.Passes, func(a, b Pass) int { return a.Protocol.Compare(b.Protocol) })
	for i := 1; i < len(out.Passes); i++ {
		if out.Passes[i].Protocol == out.Passes[i-1].Protocol {
			return fmt.Errorf("protocol %v stands twice in probes", out.Passes[i].Protocol)
		}
	}
	return nil
}

func (r *RoundReader) pass(in *probeJSON, round *Round) (Pass, error) {
	out := Pass{Protocol: in.Protocol, Targets: round.Space}
	switch {
	case len(in.Targets) > 0:
		targets, err := r.space(in.Targets)
		if err != nil {
			return out, fmt.Errorf("field targets: %w", err)
		}
		for _, p := range targets.Prefixes() {
			if !round.Space.Covers(p) {
				return out, fmt.Errorf("target %v is not in the space", p)
			}
		}
		out.Targets = targets
	case round.Kind != Full:
		return out, fmt.Errorf("field targets is missing, which a line of kind %v needs", round.Kind)
	}
	if err := r.unsent(in, &out); err != nil {
		return out, err
	}
	if want := out.Targets.Len() - len(out.Unsent); in.Sent != nil && *in.Sent != want {
		return out, fmt.Errorf("sent is %d, but targets less unsent are %d", *in.Sent, want)
	}
	silent, err := readAnswers(in.Answers, &out, round)
	if err != nil {
		return out, err
	}
	return out, readSilence(in.SilentMS, silent, &out)
}

func (r *RoundReader) unsent(in *probeJSON, out *Pass) error {
	if len(in.Unsent) == 0 {
		return nil
	}
	unsent, err := ParseSpace(in.Unsent, nil)
	if err != nil {
		return fmt.Errorf("field unsent: %w", err)
	}
	for i := range unsent.Len() {
		k, ok := out.Targets.Index(unsent.Addr(i))
		if !ok {
			return fmt.Errorf("field unsent: %v is not among the targets", unsent.Addr(i))
		}
		out.Unsent = append(out.Unsent, int32(k))
	}
	return nil
}

// readAnswers fills out.Answers and returns the send offsets of those that are named as timed out.
func readAnswers(in []answerJSON, out *Pass, round *Round) (silent map[int32]int32, err error) {
	out.Answers = make([]Answer, 0, len(in))
	for i := range in {
		a, err := readAnswer(&in[i], out, round)
		if err != nil {
			return nil, fmt.Errorf("answers[%d] (%v): %w", i, in[i].Address, err)
		}
		if a.Outcome == Timeout {
			if silent == nil {
				silent = map[int32]int32{}
			}
			silent[a.Target] = a.Offset
			continue
		}
		out.Answers = append(out.Answers, a)
	}
	slices.SortStableFunc(out.Answers, func(a, b Answer) int { return cmp.Compare(a.Target, b.Target) })
	for i, a := range out.Answers {
		if _, both := silent[a.Target]; both || i > 0 && a.Target == out.Answers[i-1].Target {
			return nil, fmt.Errorf("answers: %v stands twice", out.Targets.Addr(int(a.Target)))
		}
	}
	return silent, nil
}

func readAnswer(in *answerJSON, pass *Pass, round *Round) (Answer, error) {
	a := Answer{Outcome: in.Outcome, Offset: UnknownOffset, First: UnknownOffset}
	if !in.Address.IsValid() {
		return a, errors.New("field address is missing")
	}
	k, ok := pass.Targets.Index(in.Address.Unmap())
	if !ok {
		return a, errors.New("not among the targets")
	}
	a.Target = int32(k)
	if _, unsent := slices.BinarySearch(pass.Unsent, a.Target); unsent || in.Outcome == Unsent {
		return a, errors.New("an answer cannot be unsent")
	}
	var err error
	if a.Offset, err = readOffset("offset_ms", in.OffsetMS); err != nil {
		return a, err
	}
	if a.First, err = readOffset("first_ms", in.FirstMS); err != nil {
		return a, err
	}
	if in.RTTUS != nil {
		if a.RTT, err = readRTT(*in.RTTUS, round); err != nil {
			return a, err
		}
	}
	if in.Outcome == Unreachable {
		readError(in, &a)
	}
	return a, nil
}

// readRTT reads microseconds, which on the round's clock may last as long as a line.
func readRTT(us float64, round *Round) (uint32, error) {
	most := min(math.MaxUint32, longestLine.Microseconds()/round.Scale)
	if !(us >= 0 && us <= float64(most)) || int64(QuantiseRTT(uint32(us))) > most {
		return 0, fmt.Errorf("rtt_us %v: want 0 to %d", us, most)
	}
	return QuantiseRTT(uint32(us)), nil
}

func readError(in *answerJSON, a *Answer) {
	if in.Type != nil {
		a.Type = *in.Type
	}
	if in.Code != nil {
		a.Code = *in.Code
	}
	if in.From != nil {
		a.From = *in.From
	}
}

func readOffset(field string, ms *float64) (int32, error) {
	if ms == nil {
		return UnknownOffset, nil
	}
	if most := longestLine.Milliseconds(); !(*ms >= 0 && *ms <= float64(most)) {
		return 0, fmt.Errorf("%s %v: want 0 to %d", field, *ms, most)
	}
	return int32(*ms), nil
}

// readSilence sets out.SilentMS from the field silent_ms, or from answers named as timed out.
func readSilence(in []*float64, named map[int32]int32, out *Pass) error {
	n := out.Targets.Len() - len(out.Unsent) - len(out.Answers)
	if in == nil && len(named) == 0 {
		return nil
	}
	if in != nil && len(in) != n {
		return fmt.Errorf("silent_ms has %d entries, but %d targets were silent", len(in), n)
	}
	out.SilentMS = make([]int32, 0, n)
	for target := range out.Silent() {
		at := UnknownOffset
		if in != nil {
			var err error
			if at, err = readOffset("silent_ms", in[len(out.SilentMS)]); err != nil {
				return err
			}
		} else if ms, ok := named[target]; ok {
			at = ms
		}
		out.SilentMS = append(out.SilentMS, at)
	}
	return nil
}
