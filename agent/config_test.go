package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runIn runs a command without standard input.
func runIn(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, talk bytes.Buffer
	code = Run(context.Background(), args, strings.NewReader(""), &out, &talk)
	return code, out.String(), talk.String()
}

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestMalformedConfigurations is the table of what must exit 2 with a message that names line and key.
func TestMalformedConfigurations(t *testing.T) {
	const target = "[space]\ntargets = [\"198.18.0.0/24\"]\n" // two lines; a lab space needs no contact
	const public = "[space]\ntargets = [\"192.0.2.0/24\"]\n[probe]\ncontact = \"a@example.org\"\n"
	for _, tt := range []struct {
		text string
		want string // after the file's name
	}{
		{"[space\n", ":1: "},
		{target + "targets = []\n", ":3: space.targets"},
		{target + "[probe]\nround = \"11m\"\nround = \"12m\"\n", ":5: probe.round"},
		{target + "[probe]\nrond = \"11m\"\n", `:4: probe.rond = "11m": unknown key; did you mean probe.round?`},
		{"[space]\nprotocols = [\"icmp\"]\n", `:2: space.protocols = ["icmp"]: unknown key; did you mean probe.protocols?`},
		{"[sapce]\ntargets = [\"198.18.0.0/24\"]\n", `:2: sapce.targets = ["198.18.0.0/24"]: unknown key; did you mean space.targets?`},
		{target + "[prometheus]\n", ":3: prometheus: unknown key"},
		{"round = \"11m\"\n", `:1: round = "11m": unknown key; did you mean probe.round?`},
		{"probe = 5\n", ":1: probe = 5: want a table, like [probe]"},
		{"space.tragets = []\n", ":1: space.tragets = []: unknown key; did you mean space.targets?"},
		{"space = {targts = [\"198.18.0.1\"]}\n", `:1: space.targts = ["198.18.0.1"]: unknown key; did you mean space.targets?`},
		{"[space]\ntargets = \"198.18.0.0/24\"\n", `:2: space.targets = "198.18.0.0/24": want a list of strings`},
		{"[space]\ntargets = [198]\n", ":2: space.targets = [198]: want a list of strings"},
		{"[space]\ntargets = [\"198.18.0.0/33\"]\n", `:2: space.targets = ["198.18.0.0/33"]: target "198.18.0.0/33" is neither`},
		{"[space]\ntargets = [\"198.18.0.1/24\"]\n", "has host bits set: write 198.18.0.0/24"},
		{"[space]\ntargets = [\"2001:db8::/64\"]\n", ":2: space.targets"},
		{"[space]\ntargets = [\"@missing.txt\"]\n", "missing.txt: cannot be read: no such file"},
		{"[space]\ntargets = []\n", ":2: space.targets: name the addresses to probe"},
		{"[probe]\nretries = 1\n", "space.targets: name the addresses to probe"},
		{target + "exclude = [\"198.18.0.0/23\"]\n", ":3: space.exclude = [\"198.18.0.0/23\"]: excludes every target"},
		{target + "exclude = [\"host.example\"]\n", ":3: space.exclude"},
		{"[space]\ntargets = [\"198.18.0.0/24\", \"224.0.0.1\"]\n", ":2: space.targets = \"224.0.0.1/32\": is no unicast address, or has some that are none"},
		{"[space]\ntargets = [\"255.255.255.255\"]\n", ":2: space.targets = \"255.255.255.255/32\": is no unicast"},
		{"[space]\ntargets = [\"0.0.0.0\"]\n", ":2: space.targets = \"0.0.0.0/32\": is no unicast"},
		{"[space]\ntargets = [\"223.255.255.0/24\", \"239.0.0.0/24\"]\n", ":2: space.targets = \"239.0.0.0/24\": is no unicast"},
		{"[space]\ntargets = [\"ff02::1\"]\n", ":2: space.targets = \"ff02::1/128\": is no unicast"},
		{"[space]\ntargets = [\"fe80::1\"]\n", ":2: space.targets = \"fe80::1/128\": is of a link, or has some that are"},
		{"[space]\ntargets = [\"::\"]\n", ":2: space.targets = \"::/128\": is no unicast"},
		{"[space]\ntargets = [\"@\"]\n", ":2: space.targets = [\"@\"]: name a file after the @"},
		{"[space]\ntargets = [\"@/dev/null\"]\n", ":2: space.targets = [\"@/dev/null\"]: /dev/null names no address"},
		{target + "exclude = [\"@\"]\n", ":3: space.exclude = [\"@\"]: name a file after the @"},
		{target + "[probe]\ncontact = \"a@example.org\\nX: y\"\n", `:4: probe.contact = "a@example.org\nX: y": has a control character`},
		{target + "[vantage]\nname = \"a\\u001b[2J\"\n", `:4: vantage.name = "a\x1b[2J": has a control character`},
		{target + "block_bits = 33\n", ":3: space.block_bits = 33: want a prefix length from 8 to 32"},
		{target + "block_bits = 7\n", ":3: space.block_bits = 7"},
		{target + "block_bits = 24.5\n", ":3: space.block_bits = 24.5: want a whole number"},
		{target + "[probe]\nprotocols = [\"icmp\", \"tcp/0\"]\n", `:4: probe.protocols = ["icmp", "tcp/0"]: protocol "tcp/0" is none of`},
		{target + "[probe]\nprotocols = [\"udp/53\"]\n", ":4: probe.protocols"},
		{target + "[probe]\nprotocols = [\"icmp\", \"tcp/80\", \"icmp\"]\n", ":4: probe.protocols = \"icmp\": stands there twice"},
		{target + "[probe]\nprotocols = []\n", ":4: probe.protocols = []: name at least one"},
		{target + "[probe]\nround = 660\n", `:4: probe.round = 660: want a duration (in a file, in quotes), like "11m"`},
		{target + "[probe]\nround = \"11 minutes\"\n", `:4: probe.round = "11 minutes": want a duration`},
		{target + "[probe]\nround = \"500ms\"\n", `:4: probe.round = "500ms": want "1s" to "24h"`},
		{target + "[probe]\nround = \"-11m\"\n", ":4: probe.round"},
		{target + "[probe]\nround = \"2s\"\n", "probe.timeout = \"3s\": want less than probe.round, which is 2s"},
		{target + "[probe]\ntimeout = \"0s\"\n", ":4: probe.timeout"},
		{target + "[probe]\nlate_window = \"1s\"\n", `:4: probe.late_window = "1s": want at least probe.timeout, which is 3s`},
		{target + "[probe]\nretries = -1\n", ":4: probe.retries = -1: want 0 to 3"},
		{target + "[probe]\nretries = true\n", ":4: probe.retries = true: want a whole number"},
		{target + "[probe]\ncore_interval = \"15m\"\n", ":4: probe.core_interval"},
		{target + "[probe]\nrate = 0\n", ":4: probe.rate = 0"},
		{target + "[probe]\nrate_per_24 = nan\n", ":4: probe.rate_per_24"},
		{target + "[probe]\nextra_per_24 = -0.1\n", ":4: probe.extra_per_24 = -0.1"},
		{target + "[probe]\nicmp = \"rwa\"\n", `:4: probe.icmp = "rwa": icmp mode "rwa" is none of auto, raw, datagram`},
		{target + "[probe]\ndns_name = \"a..b\"\n", ":4: probe.dns_name"},
		{target + "[probe]\ndns_type = \"HOST\"\n", ":4: probe.dns_type"},
		{target + "[probe]\nacknowledge_fast = \"yes\"\n", `:4: probe.acknowledge_fast = "yes": want true or false`},
		{target + "[probe]\ncontact = \"" + strings.Repeat("x", 257) + "\"\n", "is longer than the 256 bytes"},
		{"[space]\ntargets = [\"192.0.2.0/24\"]\n[probe]\nretries = 1\n", ":3: probe.contact: say in every packet who probes"},
		{public + "rate = 1000\n", ":5: probe.rate = 1000: more than 200 packets a second needs probe.acknowledge_fast = true"},
		{public + "rate_per_24 = 1\n", ":5: probe.rate_per_24 = 1"},
		{public + "extra_per_24 = 1\n", ":5: probe.extra_per_24 = 1"},
		{public + "round = \"5m\"\n", `:5: probe.round = "5m": 256 probes of 192.0.2.0/24 by ICMP at 0.39 a second: from "10m57s" up, or it needs`},
		{public + "round = \"1m\"\nprotocols = [\"tcp/80\", \"dns\"]\n", `:5: probe.round = "1m": 512 probes of 192.0.2.0/24 by TCP and DNS at 2 a second`},
		{"[space]\ntargets = [\"198.18.0.0/24\"]\n[vantage]\nreferences = [\"198.18.0.7\"]\n", ":4: vantage.references = \"198.18.0.7\": lies in the space"},
		{target + "[vantage]\nreferences = [\"example.org\"]\n", `:4: vantage.references = ["example.org"]: "example.org" is no IP address`},
		{target + "[store]\npath = \"/\"\n", ":4: store.path = \"/\": is a directory"},
		{target + "[http]\nlisten = \"8413\"\n", `:4: http.listen = "8413": want host:port`},
		{target + "[http]\nlisten = \"localhost:http\"\n", ":4: http.listen"},
		{target + "[log]\nlevel = \"warning\"\n", `:4: log.level = "warning": is none of debug, info, warn, error; did you mean "warn"?`},
		{target + "[log]\nformat = \"xml\"\n", ":4: log.format"},
		{target + "[notify]\ntype = \"webhook\"\n", ":3: notify: want an array of tables: [[notify]]"},
		{target + "[[notify]]\nurl = \"https://example.org/\"\n", ":3: notify[0].type: name one of webhook"},
		{target + "[[notify]]\ntype = \"webhok\"\nurl = \"https://example.org/\"\n", `:4: notify[0].type = "webhok": is none of webhook, alertmanager, shoutrrr; did you mean "webhook"?`},
		{target + "[[notify]]\ntype = \"webhook\"\n", ":3: notify[0].url: set url, or url_file"},
		{target + "[[notify]]\ntype = \"webhook\"\nurl = \"https://secret.example/s3cret\"\nurl_file = \"x\"\n", ":6: notify[0].url_file"},
		{target + "[[notify]]\ntype = \"webhook\"\nurl = \"ftp://secret.example/s3cret\"\n", `:5: notify[0].url = "(hidden)": want an http or https URL`},
		{target + "[[notify]]\ntype = \"webhook\"\nurl_file = \"missing\"\n", ":5: notify[0].url_file"},
		{target + "[[notify]]\ntype = \"webhook\"\nurl = \"https://a.example/\"\n[[notify]]\ntyp = \"webhook\"\n", `:7: notify[1].typ = "webhook": unknown key; did you mean notify.type?`},
	} {
		path := writeConfig(t, tt.text)
		code, stdout, stderr := runIn(t, "config", "check", "--config", path)
		want := tt.want
		if strings.HasPrefix(want, ":") {
			want = path + want
		}
		if code != 2 || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("exit %d, stdout %q, stderr:\n%swant exit 2 and %q for\n%s", code, stdout, stderr, want, tt.text)
		}
		if strings.Contains(stderr, "s3cret") {
			t.Errorf("the secret is told:\n%s", stderr)
		}
		if !strings.Contains(stderr, "brownout: hint: ") {
			t.Errorf("no hint:\n%s", stderr)
		}
	}
}

func TestAllProblemsAreListed(t *testing.T) {
	path := writeConfig(t, "[space]\ntargets = 5\nblock_bit = 24\n[probe]\nround = true\n")
	_, err := LoadConfig(Sources{Path: path})
	var e *ConfigError
	if !errors.As(err, &e) || len(e.Problems) != 3 {
		t.Fatalf("got %v, want three problems", err)
	}
	for i, line := range []int{2, 3, 5} {
		if want := Origin(fmt.Sprintf("%s:%d", path, line)); e.Problems[i].Where != want {
			t.Errorf("problem %d is at %s, want %s", i, e.Problems[i].Where, want)
		}
	}
}

func TestConfigLayers(t *testing.T) {
	path := writeConfig(t, "[space]\ntargets = [\"198.18.0.0/24\"]\n[probe]\nround = \"5m\"\nretries = 2\ntimeout = \"2s\"\n")
	c, err := LoadConfig(Sources{
		Path:    path,
		Environ: []string{"BROWNOUT_PROBE_ROUND=6m", "BROWNOUT_PROBE_PROTOCOLS=icmp, tcp/22", "BROWNOUT_PROBE_RETRIES=3", "BROWNOUT_PORT=tcp://10.0.0.1:80", "XDG_STATE_HOME=/state"},
		Flags:   []FlagValue{{"--set", "probe.retries", "0"}, {"--store", "store.path", "x.db"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ key, value, origin string }{
		{"space.targets", `["198.18.0.0/24"]`, path + ":2"},
		{"probe.timeout", `"2s"`, path + ":6"},
		{"probe.round", `"6m"`, "BROWNOUT_PROBE_ROUND"},
		{"probe.protocols", `["icmp", "tcp/22"]`, "BROWNOUT_PROBE_PROTOCOLS"},
		{"probe.retries", "0", "--set"},
		{"store.path", `"x.db"`, "--store"},
		{"probe.late_window", `"30s"`, "default"},
	} {
		for _, s := range settings(c) {
			if s.key == tt.key && (literal(s.field) != tt.value || string(c.Origin(s.key)) != tt.origin) {
				t.Errorf("%s is %s from %s, want %s from %s", s.key, literal(s.field), c.Origin(s.key), tt.value, tt.origin)
			}
		}
	}
}

func TestVariablesAreChecked(t *testing.T) {
	_, err := LoadConfig(Sources{Environ: []string{"BROWNOUT_PROBE_RUOND=5m", "BROWNOUT_PROBE_RATE=fast"}})
	want := "BROWNOUT_PROBE_RATE: probe.rate = \"fast\": want a whole number\n" +
		"BROWNOUT_PROBE_RUOND: probe.ruond = \"5m\": unknown key; did you mean probe.round?"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestLookUpOrder(t *testing.T) {
	dir := t.TempDir()
	var paths []string
	for _, name := range []string{"flag.toml", "variable.toml", "brownout/config.toml"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	user := []string{"XDG_CONFIG_HOME=" + dir}
	both := append([]string{"BROWNOUT_CONFIG=" + paths[1]}, user...)
	for want, src := range map[string]Sources{
		paths[0]: {Path: paths[0], Environ: both},
		paths[1]: {Environ: both},
		paths[2]: {Environ: user},
	} {
		if c, err := LoadConfig(src); err != nil || c.File() != want {
			t.Errorf("%v: %v, want %s", src, err, want)
		}
	}
}

func TestTargetsFromFile(t *testing.T) {
	path := writeConfig(t, "[space]\ntargets = [\"@targets\", \"198.18.1.1\"]\nexclude = [\"198.18.0.1\"]\n")
	list := "# ours\n198.18.0.0/30   # a comment\n198.18.0.9, 198.18.0.10\r\n\n"
	file := filepath.Join(filepath.Dir(path), "targets")
	if err := os.WriteFile(file, []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := LoadConfig(Sources{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Targets.String(), "198.18.0.0/32,198.18.0.2/31,198.18.0.9/32,198.18.0.10/32,198.18.1.1/32"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if err := os.WriteFile(file, []byte("198.18.0.0/30\nnonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadConfig(Sources{Path: path}); err == nil || !strings.Contains(err.Error(), file+":2: ") {
		t.Errorf("got %v, want the line in %s", err, file)
	}
}

// Editors of other systems begin a file with a byte order mark, which says nothing.
func TestByteOrderMark(t *testing.T) {
	const mark = "\ufeff"
	path := writeConfig(t, mark+"[space]\ntargets = [\"@targets\"]\nexclude = [\"@none\"]\n")
	for name, text := range map[string]string{"targets": mark + "198.18.0.0/30\n", "none": mark + "# nobody asked for it yet\n"} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := LoadConfig(Sources{Path: path})
	if err != nil || c.Targets.Len() != 4 {
		t.Fatal(c, err)
	}
	if got := strings.Join(c.Warnings, "\n"); !strings.Contains(got, "space.exclude: "+filepath.Join(filepath.Dir(path), "none")+" names no address: nobody is excluded by it") {
		t.Errorf("warnings: %s", got)
	}
}

// An exclusion that excludes nobody is told of: a mistyped one would let somebody be probed who asked not to be.
func TestExclusionOfNoTarget(t *testing.T) {
	c, err := LoadConfig(Sources{Path: writeConfig(t, "[space]\ntargets = [\"198.18.0.0/30\"]\nexclude = [\"198.18.0.1\", \"198.81.0.2\"]\n")})
	if err != nil || c.Targets.Len() != 3 {
		t.Fatal(c, err)
	}
	if got := strings.Join(c.Warnings, "\n"); !strings.Contains(got, "198.81.0.2 is no target") || strings.Contains(got, "198.18.0.1 ") {
		t.Errorf("warnings: %s", got)
	}
}

// TestExampleIsComplete proves that every key stands in the example with its default.
func TestExampleIsComplete(t *testing.T) {
	const path = "../config.example.toml"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LoadConfig(Sources{Path: path}); err != nil {
		t.Fatalf("the example does not load: %v", err)
	}
	entries, err := parseTOML(data)
	if err != nil {
		t.Fatal(err)
	}
	stands := map[string]bool{}
	for _, e := range entries {
		stands[e.key] = true
	}
	read := &Config{origins: map[string]Origin{}}
	read.readEntries(path, entries)
	defaults := settings(DefaultConfig())
	for i, s := range settings(read) {
		if want := literal(defaults[i].field); !stands[s.key] || literal(s.field) != want {
			t.Errorf("%s stands there: %v, with %s; want its default %s", s.key, stands[s.key], literal(s.field), want)
		}
	}
	if c, err := LoadConfig(Sources{Path: path}); err != nil || c.CheckRun() == nil {
		t.Errorf("the unedited example would probe somebody: %v", err)
	}
	_, notify, _ := strings.Cut(string(data), "# [[notify]]\n")
	notify = "[[notify]]\n" + strings.ReplaceAll("\n"+notify, "\n# ", "\n")
	if _, err := LoadConfig(Sources{Path: writeConfig(t, notify)}); err != nil {
		t.Errorf("the example's notify: %v", err)
	}
}
