package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"brownout/agent/web"
	"brownout/probe"
	"brownout/store"
)

// doctor collects findings.
type doctor struct {
	cfg      *Config
	proc     string // /proc, but in tests
	findings []finding
}

func (d *doctor) say(check string, v verdict, detail, fix string) {
	d.findings = append(d.findings, finding{check, v, detail, fix})
}

func (d *doctor) configuration(err error) {
	if err == nil {
		err = d.cfg.CheckRun()
	}
	if err != nil {
		d.say("configuration", verdictFail, strings.ReplaceAll(err.Error(), "\n", "; "), "`brownout config check` lists each mistake; config.example.toml has every key")
		return
	}
	d.say("configuration", verdictOK, d.cfg.name()+": "+d.cfg.summary(), "")
}

// doctorPatience bounds each question that the doctor asks over a socket.
const doctorPatience = 2 * time.Second

// icmp opens each kind of socket and asks 127.0.0.1.
func (d *doctor) icmp(ctx context.Context) {
	if icmp, _ := countProtocols(d.cfg.Probe.Protocols); icmp == 0 {
		d.say("icmp", verdictNone, "not among probe.protocols", "")
		return
	}
	var works, fails []string
	for _, mode := range []probe.ICMPMode{probe.ICMPRaw, probe.ICMPDatagram} {
		if d.cfg.Probe.ICMP != probe.ICMPAuto && d.cfg.Probe.ICMP != mode {
			continue
		}
		if err := tryICMP(ctx, mode); err != nil {
			fails = append(fails, fmt.Sprintf("%s: %s", mode, strings.TrimPrefix(err.Error(), "open sweeper for icmp: ")))
		} else {
			works = append(works, mode.String())
		}
	}
	switch {
	case len(works) == 0:
		d.say("icmp", verdictFail, strings.Join(fails, "; "), icmpFix())
	case len(fails) == 0:
		d.say("icmp", verdictOK, strings.Join(works, " and ")+" work", "")
	default:
		d.say("icmp", verdictOK, works[0]+" works ("+strings.Join(fails, "; ")+")", "")
	}
}

// tryICMP asks 127.0.0.1 by a kind of socket. Silence of loopback itself is no fault of the socket's.
func tryICMP(ctx context.Context, mode probe.ICMPMode) error {
	s, err := probe.OpenSweeper(probe.SweeperConfig{ICMP: mode, Timeout: doctorPatience, LateWindow: doctorPatience}, []probe.Protocol{probe.ICMP})
	if err != nil {
		return err
	}
	defer s.Close()
	self, err := probe.SpaceOfAddrs(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		return err
	}
	sweep, err := s.Start(ctx, probe.Order{Space: self, Aims: []probe.Aim{{Protocol: probe.ICMP, Targets: self}}})
	if err != nil {
		return err
	}
	<-sweep.Sent()
	r, _ := sweep.Round()
	if len(r.Passes[0].Unsent) > 0 {
		return errors.New("opens, but cannot send to 127.0.0.1: is the loopback interface up?")
	}
	return nil
}

// icmpFix is what permits either kind of socket.
func icmpFix() string {
	self, err := os.Executable()
	if err != nil {
		self = "brownout"
	}
	return "permit one of the two sockets:\n" +
		"  raw, for this program:       sudo setcap cap_net_raw+ep " + self + "\n" +
		"  datagram, for every user:    sudo sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"\n" +
		"  in a container, raw:         docker run --cap-add NET_RAW ...\n" +
		"  in a container, datagram:    docker run --sysctl net.ipv4.ping_group_range=\"0 2147483647\" ..."
}

// spareDescriptors is what the store, listeners, logs and references need beside TCP attempts.
const spareDescriptors = 64

func (d *doctor) descriptors() {
	limit, err := descriptorLimit()
	if err != nil {
		d.say("descriptors", verdictNone, err.Error(), "")
		return
	}
	p := &d.cfg.Probe
	tcp := 0
	for _, q := range p.Protocols {
		if q.IsTCP() {
			tcp++
		}
	}
	// Every TCP attempt holds one for as long as it is waited for.
	perSecond := float64(tcp*d.cfg.Targets.Len()) / p.Round.Seconds()
	need := uint64(perSecond*p.Timeout.Seconds()) + spareDescriptors
	detail := fmt.Sprintf("%d open files are allowed, about %d needed", limit, need)
	if limit < need {
		d.say("descriptors", verdictWarn, detail, fmt.Sprintf("TCP probes will wait for one another: raise it by `ulimit -n %d`, LimitNOFILE=%d (systemd) or --ulimit nofile=%d (docker)", 2*need, 2*need, 2*need))
		return
	}
	d.say("descriptors", verdictOK, detail, "")
}

// neighbours compares the kernel's neighbour table with the targets that are on a link of ours.
func (d *doctor) neighbours() {
	limit, err := d.number("sys/net/ipv4/neigh/default/gc_thresh3")
	if err != nil {
		d.say("neighbours", verdictNone, "the kernel's table is not visible here", "")
		return
	}
	near := d.onLink()
	detail := fmt.Sprintf("the table holds %d, and %d targets are on a link of ours", limit, near)
	if near*2 > limit {
		d.say("neighbours", verdictWarn, detail, fmt.Sprintf("sudo sysctl -w net.ipv4.neigh.default.gc_thresh3=%d net.ipv4.neigh.default.gc_thresh2=%d", 4*near, 2*near))
		return
	}
	d.say("neighbours", verdictOK, detail, "")
}

// onLink counts the targets that lie in a network of one of our interfaces, loopback aside.
func (d *doctor) onLink() int {
	interfaces, err := net.Interfaces()
	if err != nil {
		return 0
	}
	n := 0
	for _, i := range interfaces {
		addrs, err := i.Addrs()
		if err != nil || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				n += countWithin(d.cfg.Targets, p.Masked())
			}
		}
	}
	return n
}

func countWithin(s probe.Space, p netip.Prefix) int {
	n := 0
	for _, q := range s.Prefixes() {
		switch {
		case !p.Overlaps(q):
		case p.Bits() <= q.Bits():
			n += 1 << (q.Addr().BitLen() - q.Bits())
		default:
			n += 1 << (p.Addr().BitLen() - p.Bits())
		}
	}
	return n
}

// How long the kernel tracks an unanswered flow, in seconds: Documentation/networking/nf_conntrack-sysctl.rst.
const (
	trackedICMP = 30
	trackedTCP  = 120 // SYN_SENT
	trackedUDP  = 30
)

func (d *doctor) conntrack() {
	limit, err := d.number("sys/net/netfilter/nf_conntrack_max")
	if err != nil || limit == 0 {
		d.say("conntrack", verdictNone, "connections are not tracked, or not visibly", "")
		return
	}
	used, _ := d.number("sys/net/netfilter/nf_conntrack_count") // 0 where it is not visible
	need := d.trackedFlows()
	detail := fmt.Sprintf("the table holds %d, %d are in use, and probing adds about %d", limit, used, need)
	if used+need > limit*8/10 {
		d.say("conntrack", verdictWarn, detail, fmt.Sprintf("probes would be lost on the way out: sudo sysctl -w net.netfilter.nf_conntrack_max=%d, or exempt them by a notrack rule", 2*(used+need)))
		return
	}
	d.say("conntrack", verdictOK, detail, "")
}

// trackedFlows is about how many flows of ours are tracked at a time.
func (d *doctor) trackedFlows() int {
	seconds := 0
	for _, q := range d.cfg.Probe.Protocols {
		switch {
		case q.IsICMP():
			seconds += trackedICMP
		case q.IsTCP():
			seconds += trackedTCP
		default:
			seconds += trackedUDP
		}
	}
	round := max(d.cfg.Probe.Round.Seconds(), 1)
	return int(float64(d.cfg.Targets.Len()) * min(float64(seconds)/round, float64(len(d.cfg.Probe.Protocols))))
}

// number reads a number under /proc.
func (d *doctor) number(name string) (int, error) {
	b, err := os.ReadFile(filepath.Join(d.proc, name))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

// clock checks that the wall clock is kept by something, and does not lie before this program was made.
func (d *doctor) clock() {
	now := time.Now()
	if built := builtAt(); now.Before(built) {
		d.say("clock", verdictFail, fmt.Sprintf("it is %s, before this program was made", now.UTC().Format(time.RFC3339)), "set the clock, and keep it by chrony or systemd-timesyncd")
		return
	}
	synchronised, known := clockSynchronised()
	switch {
	case !known:
		d.say("clock", verdictNone, "whether it is kept is not visible here", "")
	case !synchronised:
		d.say("clock", verdictWarn, "the kernel says that nothing keeps it: outages would be dated by a drifting clock", "run chrony or systemd-timesyncd on the host")
	default:
		d.say("clock", verdictOK, "synchronised", "")
	}
}

// builtAt is the time of the commit that this program was made of, or the zero time.
func builtAt() time.Time {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return time.Time{}
	}
	for _, s := range info.Settings {
		if t, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil {
			return t
		}
	}
	return time.Time{}
}

func (d *doctor) references(ctx context.Context) {
	v := &d.cfg.Vantage
	if len(v.References) == 0 {
		d.say("references", verdictWarn, "none: no total outage will be declared", "set vantage.references to three or more hosts in different networks")
		if v.AcknowledgeNoVantage {
			d.findings[len(d.findings)-1] = finding{"references", verdictOK, "none, as acknowledged", ""}
		}
		return
	}
	silent := askReferences(ctx, v.References)
	answering := len(v.References) - len(silent)
	detail := fmt.Sprintf("%d of %d answer", answering, len(v.References))
	if len(silent) > 0 {
		detail += "; silent: " + strings.Join(silent, ", ")
	}
	switch {
	case answering*2 < len(v.References):
		d.say("references", verdictFail, detail, "look at this machine's connectivity, or choose hosts that answer ping: with fewer than half answering all is unknown")
	case networks(v) < probe.MinReferences && !v.AcknowledgeNoVantage:
		d.say("references", verdictWarn, detail+": fewer than three networks, so no total outage will be declared", "add references in other networks")
	case len(silent) > 0:
		d.say("references", verdictWarn, detail, "replace the silent ones")
	default:
		d.say("references", verdictOK, detail, "")
	}
}

// askReferences pings all at once and returns the silent ones.
func askReferences(ctx context.Context, references []netip.Addr) (silent []string) {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	errs := make([]error, len(references))
	var asked sync.WaitGroup
	for i, a := range references {
		asked.Go(func() { _, errs[i] = probe.Ping(ctx, a, false) })
	}
	asked.Wait()
	for i, err := range errs {
		if err != nil {
			silent = append(silent, references[i].String())
		}
	}
	return silent
}

func (d *doctor) store() {
	path := d.cfg.Store.Path
	if web.Answers(path) {
		d.say("store", verdictOK, path+": a running agent holds it", "")
		return
	}
	s, err := store.Open(path, store.Options{ReadOnly: true, Timeout: storeWait})
	switch {
	case err == nil:
		defer s.Close()
		d.openStore(s)
	case errors.Is(err, fs.ErrNotExist):
		d.newStore(path)
	default:
		d.say("store", verdictFail, err.Error(), "")
	}
}

// openStore checks that its last words do not lie in the future.
func (d *doctor) openStore(s *store.Store) {
	_, cursor, err := s.Detector()
	switch {
	case err != nil:
		d.say("store", verdictFail, err.Error(), "`brownout store verify` says how much of it is damaged")
	case cursor > probe.InstantOf(time.Now().Add(time.Minute)):
		d.say("store", verdictFail, fmt.Sprintf("%s: was judged up to %s UTC, which is yet to come: the clock went back", s.Path(), stamp(cursor)), "set the clock, or name another store")
	default:
		d.say("store", verdictOK, s.Path(), "")
	}
}

// newStore checks that one could be made.
func (d *doctor) newStore(path string) {
	dir := filepath.Dir(path)
	if d.cfg.isDefault("store.path") {
		dir = firstExisting(dir) // run makes its own
	}
	f, err := os.CreateTemp(dir, ".brownout-*")
	if err != nil {
		d.say("store", verdictFail, fmt.Sprintf("%s cannot be made: %s", path, cause(err)), "make "+filepath.Dir(path)+", owned by the user that runs brownout, or set store.path")
		return
	}
	f.Close()
	os.Remove(f.Name())
	d.say("store", verdictOK, path+": will be made", "")
}

func firstExisting(dir string) string {
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}
