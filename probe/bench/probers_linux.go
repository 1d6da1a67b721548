package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// prober is a program, at settings of its own, that sweeps a space by a protocol.
type prober struct {
	name     string
	protocol string
	smallest bool   // asked on the smallest space only
	again    bool   // sweeps several times
	aside    bool   // names what it found on standard error
	line     string // program and arguments; the words in braces are filled in
	found    *regexp.Regexp
}

// site is what fills in a prober's line.
type site struct {
	brownout, self string
	folder         string // of the lists of addresses
	mac            string
}

var (
	anyAddress = regexp.MustCompile(`\b(\d+\.\d+\.\d+\.\d+)\b`)
	ofRound    = regexp.MustCompile(`"address":"([0-9.]+)","outcome":"re(?:ply|fused)"`)
	always     = regexp.MustCompile(`(?m)^(\S+) +:(?: [0-9.]+)+$`) // fping's, of one that answered every time
	openPort   = regexp.MustCompile(`Host: (\S+) .*?/open/`)       // nmap's grepable output
)

const (
	zmapBase    = "zmap -q -i " + nearDevice + " -S " + nearAddress + " -G {mac} -b /dev/null -c 1 "
	masscanBase = "masscan {space} -e " + nearDevice + " --adapter-ip " + nearAddress + " --router-mac {mac} --wait 1 -oL - "
	nmapBase    = "nmap -n -Pn --min-rate 100000 --max-retries 1 --min-hostgroup 4096 -T5 -oG - -iL {list} "
	rootNS      = `-M udp -p 53 --probe-args=hex:123400000001000000000000` + `0000020001 `
)

// probers is who stands in the table, in its order.
var probers = []prober{
	{name: "brownout", protocol: "icmp", line: "{brownout} sweep --space {space} --protocols icmp --unpaced --format json", found: ofRound},
	{name: "brownout, unprivileged", protocol: "icmp", line: "{brownout} sweep --space {space} --protocols icmp --unpaced --icmp datagram --format json", found: ofRound},
	{name: "fping -i 0", protocol: "icmp", line: "fping -q -a -i 0 -r 0 -t 500 -f {list}", found: anyAddress},
	{name: "fping -i 0.16 -r 1", protocol: "icmp", line: "fping -q -a -i 0.16 -r 1 -t 500 -f {list}", found: anyAddress},
	{name: "zmap -r 200000", protocol: "icmp", line: zmapBase + "-M icmp_echoscan -r 200000 {space}", found: anyAddress},
	{name: "zmap -r 50000 -P 2", protocol: "icmp", line: zmapBase + "-M icmp_echoscan -r 50000 -P 2 {space}", found: anyAddress},
	{name: "masscan --rate 100000", protocol: "icmp", line: masscanBase + "--ping --rate 100000", found: anyAddress},
	{name: "pro-bing, a pinger a host", protocol: "icmp", smallest: true, line: "{self} -role perhost -target {list}", found: anyAddress},
	{name: "blackbox_exporter", protocol: "icmp", smallest: true, line: "{self} -role requests -target {list}", found: anyAddress},

	{name: "brownout's engine", protocol: "icmp", again: true, line: "{self} -role sweeps -target {space} -sweeps {sweeps}", found: anyAddress},
	{name: "brownout's engine, unprivileged", protocol: "icmp", again: true, line: "{self} -role sweeps -icmp datagram -target {space} -sweeps {sweeps}", found: anyAddress},
	{name: "fping -i 0 -C", protocol: "icmp", again: true, aside: true, line: "fping -q -i 0 -p 500 -t 500 -C {sweeps} -f {list}", found: always},
	{name: "zmap -r 200000 -P", protocol: "icmp", again: true, line: zmapBase + "-M icmp_echoscan -r 200000 -P {sweeps} {space}", found: anyAddress},
	{name: "zmap -r 50000 -P", protocol: "icmp", again: true, line: zmapBase + "-M icmp_echoscan -r 50000 -P {sweeps} {space}", found: anyAddress},

	{name: "brownout", protocol: "tcp", line: "{brownout} sweep --space {space} --protocols tcp/80 --unpaced --format json", found: ofRound},
	{name: "nmap -sS", protocol: "tcp", line: nmapBase + "-sS -p 80", found: openPort},
	{name: "nmap -sT", protocol: "tcp", line: nmapBase + "-sT -p 80", found: openPort},
	{name: "zmap -r 200000", protocol: "tcp", line: zmapBase + "-M tcp_synscan -p 80 -r 200000 {space}", found: anyAddress},
	{name: "zmap -r 50000 -P 2", protocol: "tcp", line: zmapBase + "-M tcp_synscan -p 80 -r 50000 -P 2 {space}", found: anyAddress},
	{name: "masscan --rate 100000", protocol: "tcp", line: masscanBase + "-p 80 --rate 100000", found: anyAddress},

	{name: "brownout", protocol: "dns", line: "{brownout} sweep --space {space} --protocols dns --unpaced --format json", found: ofRound},
	{name: "nmap -sU", protocol: "dns", line: nmapBase + "-sU -p 53", found: openPort},
	{name: "zmap -r 50000", protocol: "dns", line: zmapBase + rootNS + "-r 50000 {space}", found: anyAddress},
	{name: "zmap -r 20000 -P 2", protocol: "dns", line: zmapBase + rootNS + "-r 20000 -P 2 {space}", found: anyAddress},
}

// command is a prober's command for a contest.
func (s *site) command(p *prober, c *contest) (*exec.Cmd, error) {
	words := strings.Fields(strings.NewReplacer(
		"{brownout}", s.brownout, "{self}", s.self, "{mac}", s.mac,
		"{space}", fmt.Sprintf("198.18.0.0/%d", c.bits), "{list}", s.list(c.bits), "{sweeps}", strconv.Itoa(c.sweeps),
	).Replace(p.line))
	path, err := exec.LookPath(words[0])
	if err != nil {
		return nil, fmt.Errorf("%w; Debian has it: apt-get install fping nmap zmap masscan prometheus-blackbox-exporter", err)
	}
	return exec.Command(path, words[1:]...), nil
}

// list is the file of a space's addresses, one a line.
func (s *site) list(bits int) string { return filepath.Join(s.folder, fmt.Sprint("list-", bits)) }

func (s *site) writeList(bits int) error {
	var b strings.Builder
	for i := range 1 << (32 - bits) {
		fmt.Fprintf(&b, "198.18.%d.%d\n", i>>8, i&0xff)
	}
	return os.WriteFile(s.list(bits), []byte(b.String()), 0o644)
}

// openSite builds brownout, unless it is given, and writes the lists.
func openSite(o *options, mac string) (*site, error) {
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	s := &site{brownout: o.brownout, self: "/proc/self/exe", folder: folder, mac: mac}
	if s.self, err = os.Executable(); err != nil {
		return s, err
	}
	if s.brownout == "" {
		s.brownout = filepath.Join(folder, "brownout")
		if err := commands("env CGO_ENABLED=0 go build -o " + s.brownout + " brownout/agent/brownout"); err != nil {
			return s, err
		}
	}
	for _, bits := range o.spaces {
		if err := s.writeList(bits); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *site) close() error { return os.RemoveAll(s.folder) }
