package probe

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// The interchange format is JSON Lines: an optional header, then one line a round, in order of start. Exports write it,
// and whoever writes it can have their own data judged. Unknown fields are ignored.
//
// Beyond what a foreign writer needs, our own lines say span_ms where the plan's span is not end - start, timeout_ms
// and scale where they are not the header's, slack_ms, vantage_verified where it is false, and until_ms.

// headerJSON is the optional first line.
type headerJSON struct {
	Kind      string `json:"kind"` // "header"
	Version   int    `json:"v"`
	BlockBits int    `json:"block_bits,omitempty"`
	TimeoutMS int64  `json:"timeout_ms,omitempty"`
	Plan      *int   `json:"plan,omitempty"`
	Scale     int64  `json:"scale,omitempty"`
}

// interchangeVersion is the header's v that this package reads and writes.
const interchangeVersion = 1

// DefaultTimeout is a probe's timeout where none is named: Trinocular's 3 s.
const DefaultTimeout = 3 * time.Second

type roundJSON struct {
	Start           *Instant    `json:"start"`
	End             *Instant    `json:"end"`
	Kind            Kind        `json:"kind"`
	Vantage         string      `json:"vantage,omitempty"`
	VantageOK       *bool       `json:"vantage_ok,omitempty"`
	VantageVerified *bool       `json:"vantage_verified,omitempty"`
	VantageBad      [][2]int64  `json:"vantage_bad,omitempty"`
	Space           []string    `json:"space"`
	Seed            *seedJSON   `json:"seed,omitempty"`
	SpanMS          *int64      `json:"span_ms,omitempty"`
	TimeoutMS       int64       `json:"timeout_ms,omitempty"`
	Scale           int64       `json:"scale,omitempty"`
	SlackMS         int64       `json:"slack_ms,omitempty"`
	UntilMS         *int64      `json:"until_ms,omitempty"`
	Probes          []probeJSON `json:"probes"`
}

type probeJSON struct {
	Protocol Protocol     `json:"protocol"`
	Targets  []string     `json:"targets,omitempty"`
	Sent     *int         `json:"sent,omitempty"`
	Unsent   []string     `json:"unsent"`
	Answers  []answerJSON `json:"answers"`
	SilentMS []*float64   `json:"silent_ms,omitempty"`
}

type answerJSON struct {
	Address  netip.Addr  `json:"address"`
	Outcome  Outcome     `json:"outcome"`
	OffsetMS *float64    `json:"offset_ms,omitempty"`
	FirstMS  *float64    `json:"first_ms,omitempty"`
	RTTUS    *float64    `json:"rtt_us,omitempty"`
	Type     *uint8      `json:"type,omitempty"`
	Code     *uint8      `json:"code,omitempty"`
	From     *netip.Addr `json:"from,omitempty"`
}

// UnmarshalJSON sets the outcome that an answer without one has: a reply.
func (a *answerJSON) UnmarshalJSON(b []byte) error {
	type plain answerJSON
	a.Outcome = Reply
	if err := json.Unmarshal(b, (*plain)(a)); err != nil {
		return describeAddress(b, err)
	}
	return nil
}

// describeAddress says in which field of an answer there is no address, where that is the error.
func describeAddress(b []byte, err error) error {
	var in struct{ Address, From string }
	if json.Unmarshal(b, &in) != nil {
		return err
	}
	if _, bad := netip.ParseAddr(in.Address); bad != nil && in.Address != "" {
		return fmt.Errorf("field address: %q is no IP address", in.Address)
	}
	if _, bad := netip.ParseAddr(in.From); bad != nil && in.From != "" {
		return fmt.Errorf("field from: %q is no IP address", in.From)
	}
	return err
}

// seedJSON is a 64-bit seed as a decimal string, for JSON's numbers are doubles to many readers.
type seedJSON uint64

func (s seedJSON) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, `"%d"`, uint64(s)), nil }

func (s *seedJSON) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseUint(strings.Trim(string(b), `"`), 10, 64)
	if err != nil {
		return fmt.Errorf("seed %s is not an unsigned 64-bit number in a string", b)
	}
	*s = seedJSON(v)
	return nil
}

// LineError is a line of JSON Lines that cannot be read.
type LineError struct {
	Line int // from 1
	Err  error
}

func (e *LineError) Error() string {
	return fmt.Sprintf("line %d: %s", e.Line, abridged(e.Err.Error()))
}

// abridged is a message without the midst of a long value, of which there may be megabytes, and without control characters.
func abridged(message string) string {
	message = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return '?'
		}
		return c
	}, message)
	const head, tail = 200, 100
	if len(message) <= head+tail {
		return message
	}
	return strings.ToValidUTF8(message[:head], "") + " ... " + strings.ToValidUTF8(message[len(message)-tail:], "")
}

// Unwrap gives the cause.
func (e *LineError) Unwrap() error { return e.Err }
