package probe

import (
	"runtime"
	"testing"
)

// TestStateOfAService counts what a sweep of a million services allocates before it sends the first: its plan, table and
// log.
func TestStateOfAService(t *testing.T) {
	const most = 24 // bytes
	s, _ := openFake(t, SweeperConfig{}, func(Packet, int) ([]news, error) { return nil, nil })
	defer s.Close()
	o := icmpOrder(t, 0, "10.16.0.0/12")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	w := newSweep(s, 1, o, func() {})
	w.shots.open(w.plan)
	runtime.ReadMemStats(&after)
	got := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(w.table))
	t.Logf("%.1f bytes a service", got)
	if got > most {
		t.Errorf("%.1f bytes a service, more than %d", got, most)
	}
}
