package lab

import (
	"net/netip"
	"time"

	"brownout/probe"
)

// Range is where every address of a scenario lies: the benchmarking range of RFC 2544, which is routed nowhere.
var Range = netip.MustParsePrefix("198.18.0.0/15")

// Scenario is a space, who lives in it, and what happens to it. [ParseScenario] reads it from a file.
type Scenario struct {
	Name        string
	Description string
	Start, End  probe.Instant
	Seed        uint64
	Space       probe.Space
	Demo        Demo
	Hosts       []Host       // by address; every other address of the space is silent
	References  []netip.Addr // outside the space; they answer echo requests unless our own uplink is down
	Timeline    []Phase      // by start; outside its phases everything is up
	Noise       Noise
}

// Demo is how a demonstration probes the scenario.
type Demo struct {
	Protocols    []probe.Protocol
	Round        time.Duration // on the clock
	CoreInterval time.Duration // on the clock; 0: no core passes
	Timeout      time.Duration // real
	BlockBits    int
}

// Host is an address that may answer.
type Host struct {
	Address      netip.Addr
	Availability float64       // share of spells in which it lives, 0 to 1
	Spell        time.Duration // how long it stays alive or dead, on the clock
	RTT          time.Duration // real
	Jitter       time.Duration // real: a packet's round trip is RTT plus up to this
	ICMP         bool          // answers echo requests
	Open         []uint16      // TCP ports that accept
	Refuse       []uint16      // TCP ports that refuse; all others are silent
	DNS          DNSAnswer
}

// DNSAnswer is what a host says to a question over UDP port 53: a response code of 0 to 15, or one of the constants.
type DNSAnswer int8

const (
	DNSSilent DNSAnswer = -1 // nothing
	DNSClosed DNSAnswer = -2 // ICMP port unreachable, from the host itself
)

// State is what a phase of the timeline does.
type State string

const (
	Up         State = "up"          // nothing: for the reader's sake
	Partial    State = "partial"     // Dark prefixes are silent, and Loss strikes the packets of Within
	Total      State = "total"       // the whole space is silent
	Filtered   State = "filtered"    // one protocol is silent
	UplinkDown State = "uplink-down" // our own side: space and references are silent
)

// Phase is an interval [From, To) of the timeline.
type Phase struct {
	From, To probe.Instant
	State    State
	Dark     []netip.Prefix // of a partial
	Loss     float64        // of a partial: share of attempts that get no answer
	Within   []netip.Prefix // where Loss strikes; none: everywhere
	Protocol probe.Protocol // of a filter: this one; for TCP without a port, see AllTCP
	AllTCP   bool           // of a filter: TCP to whatever port
	Optional bool           // too short or too mild for a verdict to be demanded: either is right
}

// Noise is what happens to packets of the space whatever the state. The shares are of attempts, 0 to 1.
type Noise struct {
	Loss        float64       // no answer
	Duplicates  float64       // the answer comes twice
	Late        float64       // the answer comes LateBy later
	LateBy      time.Duration // real
	Corrupted   float64       // the answer comes with a checksum that is wrong: proof of nothing
	Forged      float64       // beside the true answer, or in its stead where there is none, comes a false one
	Unreachable float64       // of attempts into the dark that Router reports
	Router      netip.Addr
}
