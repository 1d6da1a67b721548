package probe

import "fmt"

// Outcome is what became of a probe. Every probe has exactly one.
type Outcome uint8

const (
	Timeout     Outcome = iota // nothing valid came within the late window
	Reply                      // a valid echo reply, SYN-ACK, or DNS answer of any response code
	Refused                    // a RST, or port-unreachable from the target itself: life
	Late                       // a valid reply after the timeout, within the late window: life
	Unreachable                // an ICMP error about the probe: evidence with type, code and sender, never life
	Unsent                     // we failed to send it: never counted against the target
)

var outcomeNames = [...]string{"timeout", "reply", "refused", "late", "unreachable", "unsent"}

// Life reports whether the outcome shows that the target lives.
func (o Outcome) Life() bool { return o == Reply || o == Refused || o == Late }

// Silence reports whether the outcome counts against the target.
func (o Outcome) Silence() bool { return o == Timeout || o == Unreachable }

func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return fmt.Sprintf("outcome(%d)", uint8(o))
}

// MarshalText writes the outcome's name.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads an outcome's name.
func (o *Outcome) UnmarshalText(b []byte) error {
	for i, name := range outcomeNames {
		if string(b) == name {
			*o = Outcome(i)
			return nil
		}
	}
	return fmt.Errorf("outcome %q is none of %v", b, outcomeNames)
}
