package outage_test

import (
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/lab"
	"brownout/probe/outage"
)

// busy is a space of 131 hosts in four /24s, most of which answer by three protocols, swept every eight seconds: a hundred answers a
// second.
func busy(t *testing.T, seed uint64, events ...lab.Event) *outage.History {
	t.Helper()
	m := lab.Reference(seed)
	m.Hosts, m.Events, m.Retries, m.Timeout = nil, events, 1, time.Second
	for block, hosts := range []int{60, 40, 24, 7} {
		for i := range hosts {
			by := m.Protocols
			if i%5 == 4 {
				by = by[1:]
			}
			m.Hosts = append(m.Hosts, lab.Inhabitant{Address: m.Space.Addr(256*block + 3*i), Protocols: by, Availability: 0.995, RTT: 200 * time.Millisecond})
		}
	}
	return watch(t, lab.NewSimulation(m, seed), lab.Cadence{Round: 8 * time.Second, Core: 4 * time.Second, Confirm: true}, 6*minute, nil)
}

// bursts loses nine tenths of what is sent in a share of every half second.
func bursts(from, to probe.Instant, bad int64) (events []lab.Event) {
	for at := from; at < to; at = at.Add(500) {
		events = append(events, lab.Event{From: at, To: at.Add(bad), Effect: lab.Loses, Share: 0.9})
	}
	return events
}

// Loss in bursts of a fraction of a second, that come twice a second while one protocol is dark, is found at a pace at which each of them
// takes dozens of probes: one burst is one piece of news, and hundreds are not.
func TestShortBurstsAreFound(t *testing.T) {
	found, seeds := 0, cases(8, 60)
	for seed := range uint64(seeds) {
		from := lab.ModelStart.Add(4*minute + int64(seed)*777)
		to := from.Add(90_000)
		for _, o := range busy(t, seed, append(bursts(from, to, 350), lab.Event{From: from, To: to, Effect: lab.Filters, Protocol: probe.TCP(80)})...).Outages(false) {
			if o.End == nil || o.Start.At < from.Add(-minute/2) || o.End.At > to.Add(minute/2) {
				t.Errorf("seed %d: partial from %v to %v", seed, o.Start, o.End)
			}
			found++
		}
	}
	nineInTen(t, found, seeds)
}
