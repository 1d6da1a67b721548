package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
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
	unpaced  bool   // of a sweep as fast as nothing is lost, not of rounds spread over probe.round
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
		"  in a container, raw:         podman run --cap-add NET_RAW ... (docker: with --user 0, and a state folder that root owns)\n" +
		"  in a container, datagram:    docker run --sysctl net.ipv4.ping_group_range=\"0 2147483647\" ..."
}

// number reads a number under /proc.
func (d *doctor) number(name string) (int, error) {
	b, err := os.ReadFile(filepath.Join(d.proc, name))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

// twoNumbers reads two numbers under /proc.
func (d *doctor) twoNumbers(name string) (first, second int, err error) {
	b, err := os.ReadFile(filepath.Join(d.proc, name))
	if err == nil {
		_, err = fmt.Sscan(string(b), &first, &second)
	}
	return first, second, err
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

// stamps checks that the kernel notes when a reply came, which is not when this program gets to read it.
func (d *doctor) stamps() {
	stamps, known := stampsArrivals()
	switch {
	case !known:
		d.say("arrival times", verdictNone, "whether the kernel notes them is not visible here", "")
	case !stamps:
		d.say("arrival times", verdictWarn, "the kernel does not note when a reply came: RTTs are too long by the time until it is read", "run it on Linux itself, not under an emulator: verdicts are the same, RTTs are exact there")
	default:
		d.say("arrival times", verdictOK, "noted by the kernel", "")
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
	misrouted := d.misrouted()
	silent, err := askReferences(ctx, v.References)
	misrouted = d.misrouted() - misrouted
	if err != nil {
		d.say("references", verdictFail, "they could not be asked: "+err.Error(), "permit an ICMP socket, as said of icmp")
		return
	}
	answering := len(v.References) - len(silent)
	detail := fmt.Sprintf("%d of %d answer", answering, len(v.References))
	if len(silent) > 0 {
		detail += "; silent: " + strings.Join(silent, ", ")
	}
	cannotVouch := probe.Vouch(v.References, d.cfg.Targets)
	switch {
	case answering*2 < len(v.References):
		d.say("references", verdictFail, detail, "look at this machine's connectivity, or choose hosts that answer ping: with fewer than half answering all is unknown")
	case cannotVouch != nil && !v.AcknowledgeNoVantage:
		d.say("references", verdictWarn, detail+": "+cannotVouch.Error()+", so no total outage will be declared", "add references: at least three networks, and one of each address family that is probed")
	case len(silent) > 0:
		d.say("references", verdictWarn, detail, "replace the silent ones")
	default:
		d.say("references", verdictOK, detail, "")
	}
	if len(silent) > 0 {
		d.sayMisrouted(misrouted)
	}
}

// askReferences pings all at once and returns the silent ones, or why nobody could be asked.
func askReferences(ctx context.Context, references []netip.Addr) (silent []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	errs := make([]error, len(references))
	var asked sync.WaitGroup
	for i, a := range references {
		asked.Go(func() { _, errs[i] = probe.Ping(ctx, a, false) })
	}
	asked.Wait()
	for i, err := range errs {
		if errors.Is(err, fs.ErrPermission) {
			return nil, err
		}
		if err != nil {
			silent = append(silent, references[i].String())
		}
	}
	return silent, nil
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

// openStore checks that it can be written to, and that its last words do not lie in the future.
func (d *doctor) openStore(s *store.Store) {
	_, cursor, err := s.Detector()
	kept := keptFrom(s.Path())
	switch {
	case err != nil:
		d.say("store", verdictFail, err.Error(), "`brownout store verify` says how much of it is damaged")
	case kept != nil:
		d.say("store", verdictFail, s.Path()+" can be read, but not written: "+cause(kept), "mount it writable, or give it and its folder to the user that runs brownout, or set store.path")
	case cursor > probe.InstantOf(time.Now().Add(time.Minute)):
		d.say("store", verdictFail, fmt.Sprintf("%s: was judged up to %s UTC, which is yet to come: the clock went back", s.Path(), stamp(cursor)), "set the clock, or name another store")
	default:
		d.say("store", verdictOK, s.Path(), "")
	}
}

// keptFrom is what would keep run from writing to a store that is there, and from making its socket beside it.
func keptFrom(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	f.Close()
	return keptFromMaking(filepath.Dir(path))
}

func keptFromMaking(dir string) error {
	f, err := os.CreateTemp(dir, ".brownout-*")
	if err != nil {
		return err
	}
	f.Close()
	return os.Remove(f.Name())
}

// newStore checks that one could be made.
func (d *doctor) newStore(path string) {
	if err := keptFromMaking(firstExisting(filepath.Dir(path))); err != nil { // run makes the folders
		d.say("store", verdictFail, fmt.Sprintf("%s cannot be made: %s", path, cause(err)), "make "+filepath.Dir(path)+", owned by the user that runs brownout, or set store.path")
		return
	}
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
