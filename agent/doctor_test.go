package agent

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"brownout/probe"
)

// fakeProc makes a directory like /proc with the given numbers.
func fakeProc(t *testing.T, numbers map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, value := range numbers {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(value+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestDoctorTables(t *testing.T) {
	const most, used = "sys/net/netfilter/nf_conntrack_max", "sys/net/netfilter/nf_conntrack_count"
	const near = "sys/net/ipv4/neigh/default/gc_thresh3"
	space, err := probe.ParseSpace([]string{"198.18.0.0/22"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		numbers map[string]string
		round   time.Duration
		check   func(*doctor)
		want    verdict
		fix     string
	}{
		{"no conntrack", nil, time.Minute, (*doctor).conntrack, verdictNone, ""},
		{"a large one", map[string]string{most: "262144", used: "10"}, 11 * time.Minute, (*doctor).conntrack, verdictOK, ""},
		{"a full one", map[string]string{most: "262144", used: "250000"}, 11 * time.Minute, (*doctor).conntrack, verdictWarn, "nf_conntrack_max=500930"},
		{"a small one", map[string]string{most: "1024", used: "0"}, time.Second, (*doctor).conntrack, verdictWarn, "nf_conntrack_max=8192"},
		{"no neighbours", nil, time.Minute, (*doctor).neighbours, verdictNone, ""},
		{"few neighbours", map[string]string{near: "1024"}, time.Minute, (*doctor).neighbours, verdictOK, ""},
	} {
		cfg := DefaultConfig()
		cfg.Targets, cfg.Probe.Round = space, tt.round
		d := &doctor{cfg: cfg, proc: fakeProc(t, tt.numbers)}
		tt.check(d)
		if f := d.findings[0]; len(d.findings) != 1 || f.Verdict != tt.want || !strings.Contains(f.Fix, tt.fix) || (f.Fix == "") != (tt.fix == "") {
			t.Errorf("%s: %+v, want %s with a fix that has %q", tt.name, d.findings, tt.want, tt.fix)
		}
	}
}

func TestCountWithin(t *testing.T) {
	space, err := probe.ParseSpace([]string{"198.18.0.0/22", "198.18.8.1"}, []string{"198.18.0.0/25"})
	if err != nil {
		t.Fatal(err)
	}
	for prefix, want := range map[string]int{
		"198.18.0.0/24": 128, "198.18.0.0/16": 1024 - 128 + 1, "198.18.3.16/28": 16, "198.18.8.0/24": 1, "203.0.113.0/24": 0, "2001:db8::/32": 0,
	} {
		if got := countWithin(space, netip.MustParsePrefix(prefix)); got != want {
			t.Errorf("%d targets in %s, want %d", got, prefix, want)
		}
	}
}

func TestDoctorReferences(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Vantage.References = []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.1.0.1"), netip.MustParseAddr("127.2.0.1")}
	d := &doctor{cfg: cfg}
	d.references(t.Context())
	cfg.Vantage.References = nil
	d.references(t.Context())
	cfg.Vantage.AcknowledgeNoVantage = true
	d.references(t.Context())
	icmp, err := condition("icmp")
	if err != nil {
		t.Fatal(err)
	}
	want := []verdict{verdictOK, verdictWarn, verdictOK}
	if !icmp {
		t.Log("no ICMP socket may be opened here, so no reference answers")
		want[0] = verdictFail
	}
	for i, f := range d.findings {
		if f.Verdict != want[i] {
			t.Errorf("%+v, want %s", f, want[i])
		}
	}
}

func TestDoctorMisrouted(t *testing.T) {
	const netstat = "TcpExt: SyncookiesSent IPReversePathFilter TCPTimeouts\nTcpExt: 1 108 3\nIpExt: InNoRoutes InOctets\nIpExt: 5 77\n"
	for name, want := range map[string]uint64{"IPReversePathFilter": 108, "InOctets": 77, "SyncookiesSent": 1, "Other": 0} {
		if got := netstatCounter([]byte(netstat), name); got != want {
			t.Errorf("%s is %d, want %d", name, got, want)
		}
	}
	d := &doctor{findings: []finding{{"references", verdictWarn, "1 of 3 answer", "look"}}}
	d.sayMisrouted(0)
	if got := d.findings[0].Detail; got != "1 of 3 answer" {
		t.Errorf("where nothing was dropped: %q", got)
	}
	d.sayMisrouted(2)
	if got := d.findings[0]; !strings.Contains(got.Detail, "dropped 2 packets") || !strings.Contains(got.Fix, "rp_filter=2") {
		t.Errorf("%+v", got)
	}
}
