package agent

import (
	"testing"

	"brownout/probe"
)

// How long an outage lasted is rounded to the nearest second, as the page and CODF do; what is a bound is rounded up.
func TestLasted(t *testing.T) {
	for ms, want := range map[probe.Instant][2]string{
		1_862_356: {"31m02s", "31m03s"}, 1_862_500: {"31m03s", "31m03s"}, 499: {"0s", "1s"}, 59_999: {"1m00s", "1m00s"}, 0: {"0s", "0s"},
	} {
		if got := [2]string{lasted(ms), lasting(ms)}; got != want {
			t.Errorf("%d ms: %q, want %q", ms, got, want)
		}
	}
}

func TestAge(t *testing.T) {
	const now = probe.Instant(1_772_340_000_000)
	for judged, want := range map[probe.Instant]string{
		now - 32_000: "this is 32s old.", now: "this is 0s old.", now + 31_500: "this is 32s ahead of this machine's clock.",
		now + 400*365*86_400_000: "this is 146000d0h ahead of this machine's clock.",
	} {
		if got := age(judged, now); got != want {
			t.Errorf("%v: %q, want %q", judged, got, want)
		}
	}
}

func TestCountOf(t *testing.T) {
	for n, want := range map[int]string{0: "0 outages", 1: "1 outage", 2: "2 outages"} {
		if got := countOf(n, "outage", "outages"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
