package probe

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestFullQueuesOfTheKernel: silence while a processor's queue dropped one packet in ten is ours; a drop now and then is a loss like
// any other, and none is what was dropped before.
func TestFullQueuesOfTheKernel(t *testing.T) {
	const before = "00000100 ffffffff 00000000\n000fffff 00000005 00000000\n"
	for name, c := range map[string]struct {
		after string
		want  error
	}{
		"nothing dropped":      {"00000200 ffffffff 00000000\n00100fff 00000005 00000000\n", nil},
		"one in a thousand":    {"00000500 00000000 00000000\n00100fff 00000005 00000000\n", nil},
		"all of a processor's": {"00000100 00000003 00000000\n00100fff 00000005 00000000\n", errBacklog},
		"one in eight":         {"00000107 00000000 00000000\n000fffff 00000005 00000000\n", errBacklog},
		"another processor":    {"00000100 00000003 00000000\n", nil},
		"nothing to be read":   {"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := openFake(t, SweeperConfig{}, silent)
			defer s.Close()
			w := newSweep(s, 1, icmpOrder(t, 0, "198.18.0.0/30"), func() {})
			stat := filepath.Join(t.TempDir(), "softnet_stat")
			write := func(text string) {
				if err := os.WriteFile(stat, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			write(before)
			w.ours.backlog = openBacklog(stat)
			defer w.ours.backlog.close()
			w.register([]attemptRef{refOf(0, 0)})
			write(c.after)
			w.ours.looked = -lookEvery
			w.look(true)
			w.ours.sentBy[kindICMP] = w.sentOf(refOf(0, 0)) // it has left
			if err := w.fault(refOf(0, 0)); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

// TestSoftnetIsRead: this kernel's own file is understood.
func TestSoftnetIsRead(t *testing.T) {
	b, err := os.ReadFile(softnetStat)
	if err != nil {
		t.Skip(err)
	}
	if all := parseSoftnet(b); len(all) == 0 || all[0].taken == 0 {
		t.Errorf("%+v of\n%s", all, b)
	}
}
