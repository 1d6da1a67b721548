package notify

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestQuietHoursLetATotalOutageThrough: in quiet hours a total outage is told at once, whatever waits before it, of whatever
// subject: the morning may be hours away.
func TestQuietHoursLetATotalOutageThrough(t *testing.T) {
	for name, waiting := range map[string]struct {
		subject  string
		what     What
		together bool
	}{
		"missed rounds, together":    {SubjectAgent, AgentLate, true},
		"lost vantage, together":     {SubjectVantage, VantageLost, true},
		"partial outage, one by one": {"space", BecamePartial, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := openQueue(t)
			synctest.Test(t, func(t *testing.T) {
				q, err := ParseQuiet("23:30-06:00") // the bubble's clock begins at midnight
				if err != nil {
					t.Fatal(err)
				}
				chat := &receiver{}
				d := deliver(t, s, Channel{Name: "chat", Sender: chat, Together: waiting.together, Quiet: q})
				commit(t, s, waiting.subject, waiting.what, "waits")
				d.Wake()
				pass(time.Minute)
				chat.takes(t, 0)
				commit(t, s, "space", Opened, "dark") // total
				d.Wake()
				pass(2 * time.Minute)
				chat.takes(t, 2, "waits", "dark")
				d.Close()
			})
		})
	}
}
