package lab

import (
	"net/netip"
	"time"

	"brownout/probe"
)

// Model is an address space in statistics: who lives there, how reliably, and what befalls them. It is played by a
// [Simulation], which comes to years of rounds in seconds: without sockets, packets or a clock.
type Model struct {
	Space     probe.Space
	Start     probe.Instant
	Protocols []probe.Protocol // what is probed; none: ICMP
	Hosts     []Inhabitant
	HostLoss  Burst   // on each host's own path
	PathLoss  Burst   // on the path to all of them
	Late      float64 // share of replies that take LateBy more
	LateBy    time.Duration
	Events    []Event
	Retries   int           // of full rounds: attempts after a silent first one, a timeout apart
	Timeout   time.Duration // 0: 3 s
}

// Inhabitant is a host of a model.
type Inhabitant struct {
	Address      netip.Addr
	Protocols    []probe.Protocol // by which it answers
	Availability float64          // share of the time in which it answers, 0 to 1
	Spell        time.Duration    // mean length of a silent spell; 0: every probe draws for itself
	Night        time.Duration    // of every day in which it is off, more or less half an hour
	Dusk         time.Duration    // time of day, UTC, at which the night begins
	Stay         time.Duration    // mean time until it moves to a free address of its /24; 0: it never moves
	RTT          time.Duration    // the fastest; the rest takes up to a tenth more
}

// Burst is correlated loss: a chain of two states in continuous time (Gilbert, BSTJ 1960; Elliott, BSTJ 1963).
type Burst struct {
	Share float64       // of the time that is bad
	Mean  time.Duration // length of a bad spell
	Loss  float64       // of probes sent in a bad spell; 0: all
}

// Effect is what an event does to the space, or to our own side.
type Effect uint8

const (
	Darkens     Effect = iota + 1 // Prefixes are silent
	Loses                         // probes into Prefixes are lost, by Share
	Empties                       // a Share of the hosts of Prefixes is silent throughout
	Filters                       // Protocol is silent
	Limits                        // each /24 answers at most Rate ICMP probes a second
	Renumbers                     // a Share of the hosts of Prefixes has other addresses of its /24 from the end on, and none before
	Intercepts                    // a middlebox answers for everybody, within 20 ms
	CutsUsOff                     // our own link: all is silent, the references too
	BlocksSends                   // our own sends fail
	StopsUs                       // we do not run: asleep, stopped, or the clock was set
)

// Event is an effect in a range of time [From, To).
type Event struct {
	From, To probe.Instant
	Effect   Effect
	Prefixes []netip.Prefix // none: everywhere
	Share    float64
	Rate     float64
	Protocol probe.Protocol
}

func (e *Event) at(t probe.Instant) bool { return e.From <= t && t < e.To }

func (e *Event) strikes(a netip.Addr) bool { return len(e.Prefixes) == 0 || within(e.Prefixes, a) }

// Forever ends events that do not.
const Forever = probe.Instant(1 << 53)

// Nightly repeats an event every 24 hours.
func Nightly(first Event, nights int) []Event {
	const day = 24 * 3600_000
	events := make([]Event, nights)
	for i := range events {
		events[i] = first
		events[i].From = first.From.Add(int64(i) * day)
		events[i].To = first.To.Add(int64(i) * day)
	}
	return events
}
