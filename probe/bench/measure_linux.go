package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// sample is one run of a prober.
type sample struct {
	found     int
	wall, cpu time.Duration
	memory    int64 // bytes: peak of resident memory
}

// contest is what a table compares.
type contest struct {
	protocol string
	bits     int // the space's prefix length
	sweeps   int // of one process
}

// addresses are the space's.
func (c *contest) addresses() int { return 1 << (32 - c.bits) }

// probes are those of one process.
func (c *contest) probes() int { return c.addresses() * c.sweeps }

// row is a prober's runs.
type row struct {
	*prober
	*contest
	samples []sample
}

// contests are what is to be measured.
func (o *options) contests() []contest {
	var all []contest
	for _, protocol := range o.protocols {
		for _, bits := range o.spaces {
			all = append(all, contest{protocol, bits, 1})
		}
		if protocol == "icmp" {
			all = append(all, contest{protocol, slices.Max(o.spaces), o.sweeps})
		}
	}
	return all
}

// measureAll opens the lab, runs everybody in turn, and prints a table for each contest.
func measureAll(o *options, stdout, stderr io.Writer) (err error) {
	f, err := openFar()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	s, err := openSite(o, f.mac)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := raiseFiles(); err != nil {
		return err
	}
	for _, c := range o.contests() {
		rows, err := s.measure(o, &c, stderr)
		if err != nil {
			return err
		}
		print(stdout, rows)
	}
	return nil
}

// raiseFiles lets the probers have as many open files as may be.
func raiseFiles() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	return unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
}

// wants reports whether a prober is to be measured.
func (o *options) wants(p *prober) bool {
	return slices.ContainsFunc(o.only, func(word string) bool { return strings.Contains(p.name, word) })
}

// measure runs the probers of a contest, alternating.
func (s *site) measure(o *options, c *contest, stderr io.Writer) ([]row, error) {
	var rows []row
	for i := range probers {
		p := &probers[i]
		if p.protocol == c.protocol && p.again == (c.sweeps > 1) && o.wants(p) && (!p.smallest || c.bits == slices.Max(o.spaces)) {
			rows = append(rows, row{prober: p, contest: c})
		}
	}
	for n := range o.runs {
		for i := range rows {
			r := &rows[i]
			fmt.Fprintf(stderr, "bench: %s of a /%d, run %d of %d: %s\n", c.protocol, c.bits, n+1, o.runs, r.name)
			m, complaint, err := s.once(r.prober, c)
			if err != nil {
				return nil, err
			}
			if complaint != "" {
				fmt.Fprintf(stderr, "bench: %s says: %s\n", r.name, complaint)
			}
			r.samples = append(r.samples, m)
		}
	}
	return rows, nil
}

// longest bounds a run: a prober that hangs is killed.
const longest = 2 * time.Minute

// once runs a prober. A complaint is its last word where it ended as if it had failed: what it found counts all the same.
func (s *site) once(p *prober, c *contest) (m sample, complaint string, err error) {
	cmd, err := s.command(p, c)
	if err != nil {
		return m, "", err
	}
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return m, "", err
	}
	stop := time.AfterFunc(longest, func() { cmd.Process.Kill() })
	defer stop.Stop()
	peak := watchMemory(cmd.Process.Pid)
	failed := cmd.Wait()
	m = sample{wall: time.Since(began), memory: peak(), cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	names := &out
	if p.aside {
		names = &said
	}
	m.found = count(p.found, names.Bytes(), c.bits)
	lines := strings.FieldsFunc(strings.TrimSpace(said.String()), func(r rune) bool { return r == '\n' || r == '\r' })
	if failed != nil && len(lines) > 0 {
		complaint = fmt.Sprintf("%v: %s", failed, lines[len(lines)-1])
	}
	return m, complaint, nil
}

// count is how many addresses of the space an output names.
func count(found *regexp.Regexp, out []byte, bits int) int {
	seen := map[string]bool{}
	for _, m := range found.FindAllSubmatch(out, -1) {
		if a, ok := inSpace(string(m[1]), bits); ok {
			seen[a.String()] = true
		}
	}
	return len(seen)
}

// watchMemory follows the resident memory of a process and its children; the returned function ends that and tells the peak.
// What wait4 says of it would include ours, from before the program was executed.
func watchMemory(pid int) (peak func() int64) {
	const every = 10 * time.Millisecond
	quit, done := make(chan struct{}), make(chan int64)
	go func() {
		most := int64(0)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			sum := residentPeak(pid)
			children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid)) // none when it is gone
			for word := range strings.FieldsSeq(string(children)) {
				child, _ := strconv.Atoi(word)
				sum += residentPeak(child)
			}
			most = max(most, sum)
			select {
			case <-tick.C:
			case <-quit:
				done <- most
				return
			}
		}
	}()
	return func() int64 { close(quit); return <-done }
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// residentPeak is a process's own peak of resident memory, in bytes; 0 when it is gone.
func residentPeak(pid int) int64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	m := highWater.FindSubmatch(status)
	if m == nil {
		return 0
	}
	kib, _ := strconv.ParseInt(string(m[1]), 10, 64)
	return kib << 10
}

// median is the middle of what runs measured.
func median[T cmp.Ordered](samples []sample, of func(sample) T) T {
	var list []T
	for _, m := range samples {
		list = append(list, of(m))
	}
	slices.Sort(list)
	return list[len(list)/2]
}
