package probe

import "testing"

func TestTCPWindowLeavesDescriptorsToOthers(t *testing.T) {
	for limit, want := range map[uint64]int{0: 1, 32: 1, 33: 1, 34: 2, 64: 32, 256: 224, 1024: 896, 20000: 16384, 1 << 40: 16384} {
		if got := TCPWindow(limit); got != want {
			t.Errorf("of %d files: %d, want %d", limit, got, want)
		}
	}
}

func TestAgeList(t *testing.T) {
	l := newAgeList(4)
	expect := func(want int32) {
		t.Helper()
		if got, ok := l.oldest(); got != want || ok != (want >= 0) {
			t.Fatalf("the oldest is %d, %t, want %d", got, ok, want)
		}
	}
	expect(-1)
	for _, slot := range []int32{2, 0, 3, 1} {
		l.add(slot)
	}
	expect(2)
	l.remove(0)
	l.remove(2)
	expect(3)
	l.add(0)
	l.remove(3)
	expect(1)
	l.remove(1)
	expect(0)
	l.remove(0)
	expect(-1)
}
