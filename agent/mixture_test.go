package agent

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"brownout/probe"
)

// Rounds in bursts, the pauses between which are gaps, are told of, and so is what answers in none; not where the rounds of a burst but the first
// are core passes.
func TestRecordingsThatAreNotMeantSo(t *testing.T) {
	const told, bursts, nobody = `{"start":%q,"end":%q,"kind":%q,"space":["198.18.0.0/30"],"probes":[{"protocol":"icmp","targets":["198.18.0.0/30"],"answers":[%s]}]}` + "\n",
		"give the first of each as the round", "nobody answers"
	const answers = `{"address":"198.18.0.0"},{"address":"198.18.0.1"},{"address":"198.18.0.2"}`
	for _, c := range []struct {
		others  probe.Kind
		answers string
		warns   string
	}{{probe.Full, answers, bursts}, {probe.Core, answers, ""}, {probe.Core, "", nobody}} {
		var in strings.Builder
		for i := range 60 {
			for k := range 20 {
				start, kind := time.Date(2015, 1, 1, 0, 5*i, k, 0, time.UTC), c.others
				if k == 0 {
					kind = probe.Full
				}
				fmt.Fprintf(&in, told, start.Format(time.RFC3339), start.Add(time.Second).Format(time.RFC3339), kind, c.answers)
			}
		}
		var out, talk strings.Builder
		if code := Run(t.Context(), []string{"replay"}, strings.NewReader(in.String()), &out, &talk); code != 0 {
			t.Fatalf("exit code %d: %s", code, talk.String())
		}
		if c.warns == "" && talk.Len() > 0 || !strings.Contains(talk.String(), c.warns) {
			t.Errorf("the others of a burst are %v: it says %q, want %q", c.others, talk.String(), c.warns)
		}
	}
}
