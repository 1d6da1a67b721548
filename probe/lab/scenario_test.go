package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"brownout/probe"
)

// small is a scenario to which the tests add lines; its hosts are in the last table.
const small = `name = "small"
start = 2015-03-02T06:00:00Z
end = 2015-03-02T07:00:00Z
space = ["198.18.0.0/28"]
references = ["198.18.100.1"]
`

func TestAMistakeIsNamedWithItsPlace(t *testing.T) {
	for _, c := range []struct{ add, want string }{
		{"[noise]\nlos = 0.1\n", `line 7, column 1: unknown key "noise.los"`},
		{"[noise]\nloss = \"much\"\n", "line 7"},
		{"[noise\n", "line 6"},
		{"[noise]\nloss = 1.5\n", "noise.loss: 1.5"},
		{"[noise]\nlate = 0.1\n", "noise.late_by"},
		{"[noise]\nunreachable = 0.1\n", "noise.router"},
		{"[demo]\nprotocols = [\"udp\"]\n", "demo.protocols[0]"},
		{"[demo]\nround = \"-1m\"\n", "negative"},
		{"[demo]\nround = \"fast\"\n", "no duration"},
		{"[demo]\nblock_bits = 33\n", "demo.block_bits"},
		{"[[hosts]]\naddress = \"198.18.0.16\"\n", "198.18.0.16 is not in the space"},
		{"[[hosts]]\naddress = \"198.18.0.1\"\n[[hosts]]\naddress = \"198.18.0.1\"\n", "hosts[1]: 198.18.0.1 is there twice"},
		{"[[hosts]]\naddress = \"198.18.0.1\"\ncount = 3\n", "hosts[0]"},
		{"[[hosts]]\nprefix = \"198.18.0.0/28\"\n", "hosts[0]: neither"},
		{"[[hosts]]\nprefix = \"198.18.0.0/28\"\ncount = 17\n", "16 free addresses, not 17"},
		{"[[hosts]]\nprefix = \"198.18.1.0/28\"\ncount = 1\n", "not in the space"},
		{"[[hosts]]\naddress = \"198.18.0.1\"\navailability = 2.0\n", "availability of 2"},
		{"[[hosts]]\naddress = \"198.18.0.1\"\nopen = [80]\nrefuse = [80]\n", "tcp/80"},
		{"[[hosts]]\naddress = \"198.18.0.1\"\nopen = [70000]\n", "line 8"},
		{"[[hosts]]\naddress = \"198.18.0.1\"\ndns = \"MAYBE\"\n", `dns "MAYBE"`},
		{"[[timeline]]\nfrom = 2015-03-02T06:10:00Z\nto = 2015-03-02T06:05:00Z\nstate = \"total\"\n", "in order"},
		{"[[timeline]]\nfrom = 2015-03-02T06:10:00Z\nto = 2015-03-02T07:05:00Z\nstate = \"total\"\n", "within the scenario"},
		{"[[timeline]]\nfrom = 2015-03-02T06:10:00Z\nto = 2015-03-02T06:15:00Z\nstate = \"gone\"\n", `state "gone"`},
		{"[[timeline]]\nfrom = 2015-03-02T06:10:00Z\nto = 2015-03-02T06:15:00Z\nstate = \"partial\"\n", "dark prefixes or a loss"},
		{"[[timeline]]\nfrom = 2015-03-02T06:10:00Z\nto = 2015-03-02T06:15:00Z\nstate = \"partial\"\ndark = [\"198.18.9.0/24\"]\n", "198.18.9.0/24"},
		{"[[timeline]]\nfrom = 2015-03-02T06:10:00Z\nto = 2015-03-02T06:15:00Z\nstate = \"filtered\"\n", "protocol"},
		{"[[timeline]]\nfrom = 2015-03-02T06:10:00Z\nto = 2015-03-02T06:15:00Z\nstate = \"total\"\nloss = 0.1\n", "of the state partial"},
		{"[[timeline]]\nfrom = 2015-03-02T06:10:00Z\nto = 2015-03-02T06:15:00Z\nstate = \"total\"\n" +
			"[[timeline]]\nfrom = 2015-03-02T06:12:00Z\nto = 2015-03-02T06:18:00Z\nstate = \"partial\"\nloss = 0.1\n", "overlaps"},
	} {
		_, err := ParseScenario("small.toml", []byte(small+c.add))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "scenario small.toml: ") {
			t.Errorf("%s\ngives %v, want %q", c.add, err, c.want)
		}
	}
	for _, c := range []struct{ old, new, want string }{
		{"198.18.0.0/28", "10.0.0.0/28", "not within 198.18.0.0/15"},
		{"198.18.0.0/28", "198.18.0.1/28", "host bits"},
		{"198.18.0.0/28", "198.19.255.0/24", "keeps for itself"},
		{"198.18.100.1", "198.18.0.3", "references[0]"},
		{"198.18.100.1", "192.0.2.1", "references[0]"},
		{"T07:00:00Z", "T05:00:00Z", "end:"},
	} {
		_, err := ParseScenario("small.toml", []byte(strings.Replace(small, c.old, c.new, 1)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("with %s: %v, want %q", c.new, err, c.want)
		}
	}
}

func TestDefaultsAndPopulations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.toml")
	text := small + "[[hosts]]\nprefix = \"198.18.0.0/28\"\ncount = 4\navailability = 0.2\navailability_max = 0.6\nrtt = \"1ms\"\nrtt_max = \"5ms\"\nicmp = true\n" +
		"[[hosts]]\naddress = \"198.18.0.3\"\ndns = \"refused\"\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := ReadScenario(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := s.Demo; d.Round != 11*time.Minute || d.BlockBits != 24 || d.Timeout != 100*time.Millisecond || len(d.Protocols) != 1 {
		t.Errorf("the demo defaults to %+v", d)
	}
	if len(s.Hosts) != 5 {
		t.Fatalf("%d hosts, want 5", len(s.Hosts))
	}
	var availability float64
	var rtt time.Duration
	for i := range s.Hosts {
		if h := &s.Hosts[i]; h.ICMP {
			availability += h.Availability / 4
			rtt += h.RTT / 4
		} else if h.DNS != 5 || h.Availability != 1 || h.Spell != 20*time.Minute {
			t.Errorf("the single host is %+v", h)
		}
	}
	if availability < 0.399 || availability > 0.401 || rtt != 3*time.Millisecond {
		t.Errorf("the population has a mean availability of %v and RTT of %v, want 0.4 and 3 ms", availability, rtt)
	}
}

func TestBuiltinScenarios(t *testing.T) {
	want := "brownout-loss december-2014 icmp-filtered one-block-dark own-uplink-down steady"
	if got := strings.Join(Builtins(), " "); got != want {
		t.Errorf("the scenarios are %s, want %s", got, want)
	}
	for _, name := range Builtins() {
		s, err := Builtin(name)
		if err != nil {
			t.Fatal(err)
		}
		if s.Name != name || s.Description == "" || len(s.References) < 3 {
			t.Errorf("%s: name %q, %d references, description %q", name, s.Name, len(s.References), s.Description)
		}
		// Twelve rounds of learning come first.
		quiet := s.Start.Add(12 * s.Demo.Round.Milliseconds())
		if len(s.Timeline) > 0 && s.Timeline[0].From < quiet {
			t.Errorf("%s: something happens at %s, before %s", name, s.Timeline[0].From, quiet)
		}
		for i := range s.Hosts {
			if h := &s.Hosts[i]; h.RTT+h.Jitter > 5*time.Millisecond {
				t.Errorf("%s: %s takes up to %s", name, h.Address, h.RTT+h.Jitter)
			}
		}
	}
	if _, err := Builtin("januar"); err == nil || !strings.Contains(err.Error(), "steady") {
		t.Errorf("an unknown scenario gives %v", err)
	}
}

func TestAFilterOfAllTCP(t *testing.T) {
	s, err := ParseScenario("tcp", []byte(small+"[[timeline]]\nfrom = 2015-03-02T06:10:00Z\nto = 2015-03-02T06:15:00Z\nstate = \"filtered\"\nprotocol = \"tcp\"\n"+
		"[[hosts]]\naddress = \"198.18.0.3\"\nicmp = true\nopen = [80]\nrefuse = [22]\n"))
	if err != nil {
		t.Fatal(err)
	}
	w, at := world(t, s), s.Start.Add(11*60_000)
	for p, want := range map[probe.Protocol]Kind{probe.ICMP: Answer, probe.TCP(80): None, probe.TCP(22): None} {
		if got := w.Respond(at, s.Hosts[0].Address, p, 0).Kind; got != want {
			t.Errorf("%s: %s, want %s", p, got, want)
		}
	}
}
