package agent

import (
	"fmt"
	"strings"
	"testing"

	"brownout/probe/lab"
)

// simulated is a scenario for the engine's tests: what differs from a small world in which little happens.
type simulated struct {
	name     string
	hours    int
	round    string // "": 11m
	core     string // "": 60s
	noise    string
	hosts    string // "": the usual ones
	timeline string
}

// usualHosts are those of two /24s: most answer always, some come and go, some answer TCP only.
const usualHosts = `
[[hosts]]
prefix = "198.18.0.0/27"
count = 8
availability = 0.995
rtt = "60ms"
rtt_max = "200ms"
jitter = "10ms"
icmp = true
open = [80]

[[hosts]]
prefix = "198.18.0.0/27"
count = 4
availability = 0.3
availability_max = 0.9
rtt = "90ms"
rtt_max = "250ms"
jitter = "20ms"
icmp = true

[[hosts]]
prefix = "198.18.0.0/27"
count = 4
availability = 0.99
rtt = "120ms"
jitter = "10ms"
refuse = [80]

[[hosts]]
prefix = "198.18.2.0/28"
count = 5
availability = 0.99
rtt = "150ms"
jitter = "20ms"
icmp = true
open = [80]
`

// scenario is the whole of it, from the moment at which the clock of a testing/synctest bubble begins.
func (s *simulated) scenario(t *testing.T, seed uint64) *lab.Scenario {
	t.Helper()
	or := func(v, otherwise string) string {
		if v == "" {
			return otherwise
		}
		return v
	}
	text := fmt.Sprintf(`
name = %q
start = 2000-01-01T00:00:00Z
end = 2000-01-%02dT%02d:00:00Z
seed = %d
space = ["198.18.0.0/27", "198.18.2.0/28"]
references = ["198.18.100.1", "198.18.200.1", "198.19.1.1"]
[demo]
protocols = ["icmp", "tcp/80"]
round = %q
core_interval = %q
timeout = "3s"
[noise]
%s
%s
%s`, s.name, 1+s.hours/24, s.hours%24, seed, or(s.round, "11m"), or(s.core, "60s"), or(s.noise, "loss = 0.02"),
		or(s.hosts, usualHosts), s.timeline)
	scenario, err := lab.ParseScenario(s.name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return scenario
}

// phase is one of a timeline; the times are like "01T04:10:00".
func phase(from, to, state string, more ...string) string {
	return fmt.Sprintf("[[timeline]]\nfrom = 2000-01-%sZ\nto = 2000-01-%sZ\nstate = %q\n%s\n", from, to, state, strings.Join(more, "\n"))
}
