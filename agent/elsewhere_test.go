package agent

import (
	"bytes"
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"brownout/agent/testkit"
	"brownout/probe"
	"brownout/probe/lab"
	"brownout/probe/outage"
)

// elsewhere builds the binary for arm64, and returns what runs it under emulation.
func elsewhere(t *testing.T) func(args ...string) *exec.Cmd {
	t.Helper()
	emulator := testkit.Program(t, "qemu-aarch64", "qemu-aarch64-static")
	binary := filepath.Join(t.TempDir(), "brownout")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./brownout")
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return func(args ...string) *exec.Cmd {
		return exec.CommandContext(t.Context(), emulator, append([]string{binary}, args...)...)
	}
}

// TestARM64 sweeps by a binary for arm64, whose emulator knows fewer socket options than Linux. Then it replays the same rounds
// here and there, where the compiler fuses what floats multiply and add: the verdicts are the same to the byte.
func TestARM64(t *testing.T) {
	arm64 := elsewhere(t)
	if icmp, _ := condition("icmp"); icmp {
		out, err := arm64("sweep", "--space", "127.0.0.0/29", "--protocols", "icmp,tcp/1,dns", "--unpaced").CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("8 of 8 addresses answer")) {
			t.Errorf("%v: %s", err, out)
		}
	}
	if out, err := arm64("doctor", "--space", "127.0.0.0/29").CombinedOutput(); !bytes.Contains(out, []byte("does not note when a reply came")) {
		t.Errorf("%v: %s", err, out)
	}
	for _, args := range [][]string{
		{"replay", "--format", "json", "--states", fixture},
		{"replay", "--format", "json", "--blocks", eventfulDays(t)},
	} {
		var here, talk bytes.Buffer
		if code := Run(t.Context(), args, nil, &here, &talk); code != 0 {
			t.Fatalf("%q: %d: %s", args, code, &talk)
		}
		there, err := arm64(args...).Output()
		if err != nil {
			t.Fatalf("%q on arm64: %v", args, err)
		}
		if !bytes.Equal(here.Bytes(), there) {
			t.Errorf("%q differs:\n%s\n%s", args, &here, there)
		}
		if here.Len() < 1000 {
			t.Errorf("%q shows little: %s", args, &here)
		}
	}
}

// eventfulDays records four days of the reference world, with core passes, loss, hosts that leave and a total outage.
func eventfulDays(t *testing.T) string {
	t.Helper()
	m := lab.Reference(7)
	hour := time.Hour.Milliseconds()
	at := func(hours int64) probe.Instant { return m.Start.Add(hours * hour) }
	m.Events = []lab.Event{
		{From: at(30), To: at(34), Effect: lab.Loses, Share: 0.6},
		{From: at(50), To: at(53), Effect: lab.Darkens},
		{From: at(64), To: at(70), Effect: lab.Empties, Share: 0.5},
		{From: at(80), To: at(84), Effect: lab.Filters, Protocol: probe.ICMP},
	}
	path := filepath.Join(t.TempDir(), "days.jsonl")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	rounds := probe.NewRoundWriter(f)
	failed := rounds.Header(24, 3*time.Second, 1)
	w := &lab.Watcher{
		Simulation: lab.NewSimulation(m, 7), Detector: outage.New(outage.Config{}),
		Cadence: lab.Cadence{Round: 11 * time.Minute, Core: 5 * time.Minute, Confirm: true},
		Line:    func(r *probe.Round) { failed = cmp.Or(failed, rounds.Write(r)) },
	}
	ended := w.Run(at(96))
	if err := cmp.Or(ended, failed, f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}
