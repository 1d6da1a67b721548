package main

import "testing"

// Each prober's output names what it found in its own way, beside what it did not find.
func TestCount(t *testing.T) {
	for _, test := range []struct {
		name string
		out  string
		as   *prober
		want int
	}{
		{"fping", "198.18.0.1\n198.18.0.2\n198.18.0.2\n198.18.4.1\n10.0.0.1\n", named("fping -i 0", "icmp"), 2},
		{"fping again", "198.18.0.1 : 0.05 0.07 0.05\n198.18.0.2 : 0.05 - 0.05\n198.18.0.3 : - - -\n", named("fping -i 0 -C", "icmp"), 1},
		{"masscan", "#masscan\nopen icmp 0 198.18.0.9 1700000000\n# end\n", named("masscan --rate 100000", "icmp"), 1},
		{"nmap", "Host: 198.18.0.1 ()\tStatus: Up\nHost: 198.18.0.1 ()\tPorts: 80/open/tcp//http///\n" +
			"Host: 198.18.0.2 ()\tPorts: 80/closed/tcp//http///\nHost: 198.18.0.3 ()\tPorts: 53/open|filtered/udp//domain///\n",
			named("nmap -sS", "tcp"), 1},
		{"brownout", `{"answers":[{"address":"198.18.0.1","outcome":"reply"},{"address":"198.18.0.2","outcome":"refused"},` +
			`{"address":"198.18.0.3","outcome":"unreachable"},{"address":"198.18.0.4","outcome":"late"}]}`, named("brownout", "icmp"), 2},
	} {
		if got := count(test.as.found, []byte(test.out), 22); got != test.want {
			t.Errorf("%s: %d found, want %d", test.name, got, test.want)
		}
	}
}

func named(name, protocol string) *prober {
	for i := range probers {
		if probers[i].name == name && probers[i].protocol == protocol {
			return &probers[i]
		}
	}
	panic("no prober " + name)
}
