package outage_test

import (
	"bytes"
	"io"
	"runtime"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/lab"
	"brownout/probe/outage"
)

// rounds is full rounds of the reference world, every eleven minutes.
func rounds(n int) []*probe.Round {
	m := lab.Reference(1)
	s := lab.NewSimulation(m, 1)
	out := make([]*probe.Round, n)
	for i := range out {
		out[i] = s.Round(probe.Full, m.Start.Add(int64(i)*11*minute), 11*time.Minute, s.Aims())
	}
	return out
}

// BenchmarkReplay judges rounds of the reference world from memory. The figure is rounds a minute.
func BenchmarkReplay(b *testing.B) {
	lines := rounds(20_000)
	for b.Loop() {
		if _, err := outage.Replay(outage.Config{}, &source{lines}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*len(lines))/b.Elapsed().Minutes(), "rounds/min")
}

// BenchmarkReplayJSON reads them from JSON Lines and judges them.
func BenchmarkReplayJSON(b *testing.B) {
	const n = 5_000
	text := written(b, rounds(n))
	for b.Loop() {
		if _, err := outage.Replay(outage.Config{}, probe.NewRoundReader(bytes.NewReader(text))); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*n)/b.Elapsed().Minutes(), "rounds/min")
}

func written(t testing.TB, lines []*probe.Round) []byte {
	t.Helper()
	var text bytes.Buffer
	w := probe.NewRoundWriter(&text)
	for _, r := range lines {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	return text.Bytes()
}

// endless yields the same rounds again and again, later and later, up to so many.
type endless struct {
	lines   []*probe.Round
	n, most int
	at      func(n int)
}

func (e *endless) Next() (*probe.Round, error) {
	if e.at(e.n); e.n == e.most {
		return nil, io.EOF
	}
	i := e.n % len(e.lines)
	r := *e.lines[i]
	later := probe.Instant(e.n/len(e.lines)) * probe.Instant(len(e.lines)) * 11 * minute
	r.Start, r.End = r.Start+later, r.End+later
	e.n++
	return &r, nil
}

// TestReplayMemory judges ever more rounds: what it holds does not grow with them.
func TestReplayMemory(t *testing.T) {
	const first, last = 3_000, 12_000
	lines := rounds(2_000)
	sizes := map[int]uint64{}
	measure := func(n int) {
		if n != first && n != last {
			return
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		sizes[n] = m.HeapAlloc
	}
	if _, err := outage.Replay(outage.Config{}, &endless{lines: lines, most: last + 1, at: measure}); err != nil {
		t.Fatal(err)
	}
	if grown := int64(sizes[last]) - int64(sizes[first]); grown > 1<<20 {
		t.Errorf("9,000 rounds more take %d KiB more: %v", grown>>10, sizes)
	}
}
