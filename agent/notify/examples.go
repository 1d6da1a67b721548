package notify

import (
	"fmt"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// TestNotice is what `brownout notify test` delivers.
func TestNotice(vantage string, now time.Time) *Notice {
	at := probe.InstantOf(now)
	id := fmt.Sprintf("test-%s/1", now.UTC().Format("20060102T150405.000Z"))
	return &Notice{
		Version: 1, ID: id, At: at, Vantage: vantage, Subject: SubjectAgent, Severity: Info,
		Transitions: []Transition{{ID: id, What: "test", At: at, Kind: outage.Up, Detail: "`brownout notify test` reached you: nothing happened"}},
	}
}

// exampleNotice has something in every field.
func exampleNotice() *Notice {
	start := outage.Interval{Earliest: 1, At: 2, Latest: 3}
	o := &outage.Outage{
		ID: "space-example", Block: outage.SpaceBlock, Kind: outage.Total, Status: outage.Ended, Start: start, End: &start,
		Phases: []outage.Phase{{Kind: outage.Total, Start: start, End: &start}}, Expected: 180000,
		Revisions: []outage.Revision{{Kind: outage.Partial}},
	}
	o.FillLists()
	k := known{}
	return &Notice{Version: 1, ID: o.ID, Vantage: "example", Subject: o.Block, Severity: Critical, Transitions: k.follow(o, 4)}
}
