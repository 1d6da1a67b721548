package probe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Instant is a moment in milliseconds since the Unix epoch, UTC: the resolution at which rounds are recorded and judged.
// It prints as RFC 3339 with three decimals.
type Instant int64

// InstantOf rounds t down to the millisecond.
func InstantOf(t time.Time) Instant { return Instant(t.UnixMilli()) }

// ParseInstant reads an RFC 3339 time of any offset; what is finer than a millisecond is cut off.
func ParseInstant(s string) (Instant, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return 0, fmt.Errorf("time %q is not RFC 3339, like 2014-12-22T16:15:00.000Z", s)
	}
	return InstantOf(t), nil
}

// Time is the instant as a time.Time in UTC.
func (t Instant) Time() time.Time { return time.UnixMilli(int64(t)).UTC() }

// Add is the instant ms milliseconds later.
func (t Instant) Add(ms int64) Instant { return t + Instant(ms) }

func (t Instant) String() string { return string(t.Append(nil)) }

// Append appends what String prints.
func (t Instant) Append(b []byte) []byte {
	at := t.Time()
	b = at.AppendFormat(b, time.RFC3339) // several times as fast as a layout with decimals
	ms := at.Nanosecond() / int(time.Millisecond)
	return append(b[:len(b)-len("Z")], '.', '0'+byte(ms/100), '0'+byte(ms/10%10), '0'+byte(ms%10), 'Z')
}

// MarshalJSON writes "2014-12-22T16:15:00.000Z".
func (t Instant) MarshalJSON() ([]byte, error) {
	return append(t.Append([]byte{'"'}), '"'), nil
}

// UnmarshalJSON reads an RFC 3339 string.
func (t *Instant) UnmarshalJSON(b []byte) error {
	s := string(bytes.Trim(b, `"`))
	if len(s) != len(b)-2 || strings.Contains(s, `\`) { // for a plain string this is several times as fast
		if err := json.Unmarshal(b, &s); err != nil {
			return fmt.Errorf("time %s is not a string", b)
		}
	}
	v, err := ParseInstant(s)
	if err != nil {
		return err
	}
	*t = v
	return nil
}
