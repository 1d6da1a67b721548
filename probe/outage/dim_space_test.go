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

// Where the blocks that lose, and are partial, hold most of what answers, the space is partial too, whatever seems to explain for a moment
// what a second of it lost.
func TestBlocksThatLoseMakeTheSpacePartial(t *testing.T) {
	most := 0
	for _, seed := range firstSeeds(2, 60, 3) {
		from := lab.ModelStart.Add(4*minute + int64(seed)*777)
		to := from.Add(minute)
		h := busy(t, seed, lab.Event{From: from, To: to, Effect: lab.Loses, Share: 0.6}, lab.Event{From: from, To: to, Effect: lab.Filters, Protocol: probe.TCP(80)})
		hosts := map[string]int{"198.18.0.0/24": 60, "198.18.1.0/24": 40, "198.18.2.0/24": 24, "198.18.3.0/24": 7}
		partial, told := 0, false
		for _, o := range h.Outages(true) {
			told = told || o.Block == outage.SpaceBlock
			partial += hosts[o.Block]
			delete(hosts, o.Block)
		}
		if partial > 131/2 {
			if most++; !told {
				t.Errorf("seed %d: blocks of %d of 131 hosts are partial, and the space is not", seed, partial)
			}
		}
	}
	if most == 0 {
		t.Error("they never were")
	}
}
