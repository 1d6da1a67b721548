package agent

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/lab"
	"brownout/probe/outage"
)

var (
	soak         = flag.Int64("soak", 0, "how many times as fast to play the demo, of 36 hours, and watch what it takes; 0: not at all")
	soakProfiles = flag.String("soak-profiles", "", "with -soak: the `folder` for two heap profiles, after a quarter of the time and near the end, for go tool pprof -diff_base")
)

// sample is what the process took at a moment.
type sample struct {
	at              probe.Instant
	goroutines, fds int
	anonymous, file uint64 // resident bytes
	heapInUse       uint64
}

// TestSoak plays the 36 hours of the demo. After the first quarter, in which everything is learned, memory, goroutines and
// descriptors stay what they are, and no round comes late enough to be missed.
//
// Memory is what no file backs, proc(5)'s RssAnon. Pages of files, which the kernel can take back, are told of but not
// judged: bbolt maps the store, which grows by what was measured, from 1 to 3 MB here, and code is read when it first runs.
func TestSoak(t *testing.T) {
	if *soak == 0 {
		return // it takes minutes
	}
	scenario, err := lab.Builtin("december-2014")
	if err != nil {
		t.Fatal(err)
	}
	s := &selfObserver{}
	var samples []sample
	missed := 0
	length := scenario.End - scenario.Start
	profiles := heapProfiles{scenario.Start + length/4, scenario.End - length/20}
	format := "json"
	a := &app{stdout: io.Discard, stderr: io.Discard, talk: talk{io.Discard}}
	_, err = a.playDemo(t.Context(), &demoOptions{speed: *soak, format: &format, inProcess: true, committed: func(f outage.Findings) {
		for _, c := range f.Changes {
			if c.Reason == "gap" {
				missed++
			}
		}
		if n := len(samples); n == 0 || f.Judged > samples[n-1].at.Add(600_000) {
			self := s.Self()
			samples = append(samples, sample{f.Judged, self.Goroutines, self.Descriptors, self.ResidentBytes - self.FileBytes, self.FileBytes, self.HeapBytes})
			profiles.due(t, f.Judged)
		}
	}}, scenario)
	if err != nil {
		t.Fatal(err)
	}
	flat(t, samples[len(samples)/4:])
	if missed > 0 {
		t.Errorf("%d rounds came too late", missed)
	}
}

const filePages = "file pages MB"

// flat compares the halves of what was sampled, by their medians. Pages of files may grow.
func flat(t *testing.T, samples []sample) {
	t.Helper()
	half := len(samples) / 2
	for name, of := range map[string]func(sample) float64{
		"goroutines":   func(s sample) float64 { return float64(s.goroutines) },
		"descriptors":  func(s sample) float64 { return float64(s.fds) },
		"anonymous MB": func(s sample) float64 { return float64(s.anonymous) / 1e6 },
		filePages:      func(s sample) float64 { return float64(s.file) / 1e6 },
		"heap MB":      func(s sample) float64 { return float64(s.heapInUse) / 1e6 },
	} {
		first, second := medianOf(samples[:half], of), medianOf(samples[half:], of)
		t.Logf("%s: %.1f, then %.1f, over %v", name, first, second, time.Duration(samples[len(samples)-1].at-samples[0].at)*time.Millisecond)
		if second > 1.1*first+2 && name != filePages {
			t.Errorf("%s grow", name)
		}
	}
}

// heapProfiles is the moments of which profiles are still to be written.
type heapProfiles []probe.Instant

// due writes the next one when its moment has come.
func (h *heapProfiles) due(t *testing.T, now probe.Instant) {
	if *soakProfiles == "" || len(*h) == 0 || now < (*h)[0] {
		return
	}
	*h = (*h)[1:]
	runtime.GC() // a profile is as of the last collection
	var b bytes.Buffer
	err := pprof.WriteHeapProfile(&b)
	if err == nil {
		err = os.WriteFile(filepath.Join(*soakProfiles, now.Time().Format("heap-20060102T1504.pprof")), b.Bytes(), 0o644)
	}
	if err != nil {
		t.Error(err)
	}
}

func medianOf(list []sample, of func(sample) float64) float64 {
	var values []float64
	for _, s := range list {
		values = append(values, of(s))
	}
	slices.Sort(values)
	return values[len(values)/2]
}
