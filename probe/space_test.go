package probe

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParseSpace(t *testing.T) {
	for _, c := range []struct {
		targets, exclude string
		want             string
		n                int
	}{
		{"198.18.0.0/22", "", "198.18.0.0/22", 1024},
		{"198.18.0.1", "", "198.18.0.1/32", 1},
		{"198.18.0.0/24 198.18.1.0/24", "", "198.18.0.0/23", 512},
		{"198.18.0.0/24 198.18.0.0/25 198.18.0.3", "", "198.18.0.0/24", 256},
		{"198.18.0.0/30", "198.18.0.0 198.18.0.3", "198.18.0.1/32,198.18.0.2/32", 2},
		{"198.18.0.0/24", "198.18.0.0/16", "", 0},
		{"", "", "", 0},
		{"2001:db8::/120 198.18.0.4", "", "198.18.0.4/32,2001:db8::/120", 257},
		{"::ffff:198.18.0.4", "", "198.18.0.4/32", 1},
		{"255.255.255.255 0.0.0.0", "", "0.0.0.0/32,255.255.255.255/32", 2},
		{"0.0.0.0/8", "", "0.0.0.0/8", 1 << 24},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0/124", "", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0/124", 16},
	} {
		s, err := ParseSpace(strings.Fields(c.targets), strings.Fields(c.exclude))
		if err != nil {
			t.Errorf("%q less %q: %v", c.targets, c.exclude, err)
			continue
		}
		if s.String() != c.want || s.Len() != c.n {
			t.Errorf("%q less %q: %q of %d, want %q of %d", c.targets, c.exclude, s, s.Len(), c.want, c.n)
		}
		for _, i := range []int{0, 1, s.Len() - 2, s.Len() - 1} {
			if i < 0 || i >= s.Len() {
				continue
			}
			if back, ok := s.Index(s.Addr(i)); !ok || back != i {
				t.Errorf("%q: address %s of index %d has index %d, %t", c.targets, s.Addr(i), i, back, ok)
			}
		}
	}
}

func TestSpacesThatCannotBe(t *testing.T) {
	for targets, hint := range map[string]string{
		"198.18.0.1/22":              "write 198.18.0.0/22",
		"198.18.0.0/33":              "neither an address nor a CIDR",
		"198.18.0":                   "neither an address nor a CIDR",
		"example.org":                "neither an address nor a CIDR",
		"fe80::1%eth0":               "neither an address nor a CIDR",
		"::ffff:198.18.0.0/120":      "write it as IPv4",
		"2001:db8::/64":              "2^64",
		"0.0.0.0/7":                  "2^25",
		"10.0.0.0/8 11.0.0.0/32":     "more than the 16777216",
		"2001:db8::/104 2001:db9::1": "more than the 16777216",
	} {
		_, err := ParseSpace(strings.Fields(targets), nil)
		if err == nil || !strings.Contains(err.Error(), hint) {
			t.Errorf("%q: %v, want a word of %q", targets, err, hint)
		}
	}
	if _, err := ParseSpace(nil, []string{"nonsense"}); err == nil || !strings.Contains(err.Error(), "exclusion") {
		t.Errorf("a bad exclusion: %v", err)
	}
}

// TestSpaceHoldsWhatItShould compares with a set of addresses.
func TestSpaceHoldsWhatItShould(t *testing.T) {
	prefix := rapid.Custom(func(t *rapid.T) string {
		bits := rapid.IntRange(22, 32).Draw(t, "bits")
		a := netip.AddrFrom4([4]byte{198, 18, byte(rapid.IntRange(0, 7).Draw(t, "c")), byte(rapid.IntRange(0, 255).Draw(t, "d"))})
		if rapid.Bool().Draw(t, "v6") {
			b := netip.MustParseAddr("2001:db8::").As16()
			copy(b[12:], a.AsSlice())
			a, bits = netip.AddrFrom16(b), bits+96
		}
		return netip.PrefixFrom(a, bits).Masked().String()
	})
	rapid.Check(t, func(t *rapid.T) {
		targets := rapid.SliceOfN(prefix, 0, 4).Draw(t, "targets")
		exclude := rapid.SliceOfN(prefix, 0, 3).Draw(t, "exclude")
		s, err := ParseSpace(targets, exclude)
		if err != nil {
			t.Fatal(err)
		}
		want := map[netip.Addr]bool{}
		each(targets, func(a netip.Addr) { want[a] = true })
		each(exclude, func(a netip.Addr) { delete(want, a) })
		if s.Len() != len(want) {
			t.Fatalf("%d addresses, want %d", s.Len(), len(want))
		}
		for i := range s.Len() {
			a := s.Addr(i)
			if back, ok := s.Index(a); !want[a] || !ok || back != i || i > 0 && !s.Addr(i-1).Less(a) {
				t.Fatalf("address %d is %s, wanted %t, back to %d", i, a, want[a], back)
			}
		}
		each(exclude, func(a netip.Addr) {
			if _, ok := s.Index(a); ok {
				t.Fatalf("%s is excluded and there", a)
			}
		})
		checkGroups(t, s)
		if again, err := SpaceOf(s.Prefixes()...); err != nil || !again.Equal(s) || again.String() != s.String() {
			t.Fatalf("its own prefixes give %s: %v", again, err)
		}
	})
}

func each(prefixes []string, do func(netip.Addr)) {
	for _, s := range prefixes {
		p := netip.MustParsePrefix(s)
		for a := p.Addr(); p.Contains(a); a = a.Next() {
			do(a)
		}
	}
}

// checkGroups: the groups tile the space, each within its prefix, no prefix twice.
func checkGroups(t *rapid.T, s Space) {
	next, seen := 0, map[netip.Prefix]bool{}
	for _, g := range s.Groups(24) {
		if g.From != next || g.To <= g.From || seen[g.Prefix] {
			t.Fatalf("group %+v follows index %d", g, next)
		}
		seen[g.Prefix] = true
		for i := g.From; i < g.To; i++ {
			if !g.Prefix.Contains(s.Addr(i)) {
				t.Fatalf("%s is not in %s", s.Addr(i), g.Prefix)
			}
		}
		next = g.To
	}
	if next != s.Len() {
		t.Fatalf("the groups end at %d of %d", next, s.Len())
	}
}

func TestGroups(t *testing.T) {
	s, err := ParseSpace([]string{"198.18.0.0/23", "198.18.5.9", "2001:db8::/126", "2001:db8:0:1::1", "2001:db8:1::1"}, []string{"198.18.0.7"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range s.Groups(24) {
		got = append(got, fmt.Sprint(g.Prefix, " ", g.From, "-", g.To))
	}
	want := []string{"198.18.0.0/24 0-255", "198.18.1.0/24 255-511", "198.18.5.0/24 511-512", "2001:db8::/48 512-517", "2001:db8:1::/48 517-518"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestIndexOutsideTheSpace(t *testing.T) {
	s, err := ParseSpace([]string{"198.18.0.4/30", "198.18.0.12/30", "2001:db8::4/126"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []string{"0.0.0.0", "198.18.0.3", "198.18.0.8", "198.18.0.11", "198.18.0.16", "255.255.255.255",
		"::", "::ffff:198.18.0.4", "2001:db8::3", "2001:db8::8", "2001:db8:1::4", "ffff::"} {
		if i, ok := s.Index(netip.MustParseAddr(a)); ok {
			t.Errorf("%s has index %d", a, i)
		}
	}
	if _, ok := (Space{}).Index(netip.MustParseAddr("198.18.0.4")); ok {
		t.Error("the empty space holds an address")
	}
	if n := testing.AllocsPerRun(100, func() { s.Index(s.Addr(5)) }); n > 0 {
		t.Errorf("index and address allocate %v times", n)
	}
}
