package agent

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/miekg/dns"
	toolkit "github.com/prometheus/exporter-toolkit/web"

	"brownout/probe"
)

// checker collects what is wrong with the values of a configuration.
type checker struct {
	c        *Config
	problems []Problem
}

func (k *checker) add(key, value, what string) {
	k.problems = append(k.problems, Problem{k.c.Origin(key), key, value, what})
}

// bad says what is wrong with a value, printed as TOML.
func (k *checker) bad(key string, value any, what string) {
	text := fmt.Sprint(value)
	switch v := value.(type) {
	case string:
		text = strconv.Quote(v)
	case time.Duration:
		text = strconv.Quote(shortDuration(v))
	case []string:
		text = "[" + quoteAll(v) + "]"
	}
	k.add(key, text, what)
}

func quoteAll(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = strconv.Quote(s)
	}
	return strings.Join(quoted, ", ")
}

// missing says what to set. Where the key's table is in the file, its line is named.
func (k *checker) missing(key, what string) {
	p := Problem{Where: k.c.Origin(key), Key: key, What: what}
	if p.Where == fromDefault {
		p.Where = k.c.Origin(key[:strings.LastIndexByte(key, '.')])
	}
	if p.Where == fromDefault {
		p.Where = Origin(k.c.file)
	}
	k.problems = append(k.problems, p)
}

func (k *checker) oneOf(key, value string, names ...string) {
	if slices.Contains(names, value) {
		return
	}
	what := "is none of " + strings.Join(names, ", ")
	if near := nearestKey(value, names); near != "" {
		what += fmt.Sprintf("; did you mean %q?", near)
	}
	k.bad(key, value, what)
}

func (k *checker) all() {
	c := k.c
	k.space()
	k.probe()
	k.rates()
	k.times()
	k.references()
	if info, err := os.Stat(c.Store.Path); err == nil && info.IsDir() {
		k.bad("store.path", c.Store.Path, "is a directory: name a file in it, like brownout.db")
	}
	k.keep()
	k.listen()
	k.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	k.oneOf("log.format", c.Log.Format, "text", "json")
	k.notify()
	if len(k.problems) == 0 {
		k.manners()
	}
}

func (k *checker) space() {
	s := &k.c.Space
	if s.BlockBits < 8 || s.BlockBits > 32 {
		k.bad("space.block_bits", s.BlockBits, "want a prefix length from 8 to 32")
	}
	targets, empty, err := k.c.expandTargets(s.Targets)
	if err == nil && len(empty) > 0 {
		err = fmt.Errorf("%s names no address", empty[0])
	}
	if err == nil {
		k.c.Targets, err = probe.ParseSpace(targets, nil)
	}
	if err != nil {
		k.bad("space.targets", s.Targets, err.Error())
		return
	}
	all := k.c.Targets
	exclude, empty, err := k.c.expandTargets(s.Exclude)
	for _, file := range empty {
		k.c.warn("space.exclude: " + file + " names no address: nobody is excluded by it")
	}
	if err == nil {
		k.c.Targets, err = probe.ParseSpace(targets, exclude)
	}
	switch {
	case err != nil:
		k.bad("space.exclude", s.Exclude, err.Error())
	case len(targets) > 0 && k.c.Targets.Len() == 0:
		k.bad("space.exclude", s.Exclude, "excludes every target")
	default:
		k.vain(all, targets)
	}
	for _, p := range k.c.Targets.Prefixes() {
		switch {
		case !isUnicast(p):
			k.bad("space.targets", p.String(), "is no unicast address, or has some that are none: name the addresses of hosts")
		case p.Addr().Is6() && p.Overlaps(linkLocal6):
			k.bad("space.targets", p.String(), "is of a link, or has some that are, and does not say of which: name others")
		}
	}
}

// vain warns of exclusions that are of no target: whoever asked not to be probed may be meant by another. A file may be for many spaces.
func (k *checker) vain(all probe.Space, targets []string) {
	for _, e := range k.c.Space.Exclude {
		if strings.HasPrefix(e, "@") {
			continue
		}
		if left, err := probe.ParseSpace(targets, []string{e}); err == nil && left.Len() == all.Len() {
			k.c.warn("space.exclude: " + e + " is no target: nobody is excluded by it")
		}
	}
}

// linkLocal6 is of every link (RFC 4291, 2.5.6): the kernel would send on whichever.
var linkLocal6 = netip.MustParsePrefix("fe80::/10")

// plain refuses what would move the cursor of a terminal that it is printed on, or begin a line in a message.
func (k *checker) plain(key, value string) {
	if strings.ContainsFunc(value, unicode.IsControl) {
		k.bad(key, value, "has a control character")
	}
}

func (k *checker) probe() {
	p := &k.c.Probe
	if len(p.Protocols) == 0 {
		k.add("probe.protocols", "[]", "name at least one of icmp, tcp/PORT, dns")
	}
	for i, q := range p.Protocols {
		if slices.Contains(p.Protocols[:i], q) {
			k.bad("probe.protocols", q.String(), "stands there twice")
		}
	}
	if p.Retries < 0 || p.Retries > maxRetries {
		k.bad("probe.retries", p.Retries, fmt.Sprintf("want 0 to %d", maxRetries))
	}
	k.plain("probe.contact", p.Contact)
	k.plain("vantage.name", k.c.Vantage.Name)
	if len(p.Contact) > probe.MaxContact {
		k.bad("probe.contact", p.Contact, fmt.Sprintf("is longer than the %d bytes that fit a packet", probe.MaxContact))
	}
	if _, ok := dns.IsDomainName(p.DNSName); !ok || p.DNSName == "" {
		k.bad("probe.dns_name", p.DNSName, `is no domain name; the root is "."`)
	}
	if t, ok := dns.StringToType[strings.ToUpper(p.DNSType)]; !ok || t == dns.TypeNone {
		k.bad("probe.dns_type", p.DNSType, "is no DNS record type, like NS, A or TXT")
	}
}

// maxRetries bounds probe.retries: more would be a flood of whom is silent already.
const maxRetries = 3

func (k *checker) rates() {
	p := &k.c.Probe
	if p.Rate < 1 || p.Rate > 1_000_000 {
		k.bad("probe.rate", p.Rate, "want 1 to 1000000 packets a second")
	}
	for _, r := range []struct {
		key   string
		value float64
	}{{"probe.rate_per_24", p.RatePer24}, {"probe.extra_per_24", p.ExtraPer24}} {
		if !(r.value > 0) || r.value > 1_000_000 || math.IsNaN(r.value) {
			k.bad(r.key, r.value, "want more than 0 packets a second, and at most 1000000")
		}
	}
}

func (k *checker) times() {
	p := &k.c.Probe
	if p.Round < time.Second || p.Round > 24*time.Hour {
		k.bad("probe.round", p.Round, `want "1s" to "24h"`)
	}
	if p.Timeout < time.Millisecond || p.Timeout > time.Minute {
		k.bad("probe.timeout", p.Timeout, `want "1ms" to "1m"`)
	} else if p.Timeout >= p.Round {
		k.bad("probe.timeout", p.Timeout, fmt.Sprintf("want less than probe.round, which is %s", shortDuration(p.Round)))
	}
	if p.LateWindow < p.Timeout || p.LateWindow > 5*time.Minute {
		k.bad("probe.late_window", p.LateWindow,
			fmt.Sprintf(`want at least probe.timeout, which is %s, and at most "5m"`, shortDuration(p.Timeout)))
	}
	if p.CoreInterval != 0 && (p.CoreInterval < time.Second || p.CoreInterval >= p.Round) {
		k.bad("probe.core_interval", p.CoreInterval,
			fmt.Sprintf(`want "0s" (off), or at least "1s" and less than probe.round, which is %s`, shortDuration(p.Round)))
	}
}

func (k *checker) listen() {
	at := k.c.HTTP.Listen
	if at == "" {
		return
	}
	_, port, err := net.SplitHostPort(at)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		k.bad("http.listen", at, `want host:port, like "127.0.0.1:8413", or "" for none`)
		return
	}
	k.webConfig()
}

// webConfig checks the file, and whether anybody who can reach the listener may ask.
func (k *checker) webConfig() {
	h := &k.c.HTTP
	switch {
	case irregular(h.WebConfigFile): // it is read again and again
		k.bad("http.web_config_file", h.WebConfigFile, "is no regular file")
	case h.WebConfigFile != "":
		if err := toolkit.Validate(h.WebConfigFile); err != nil {
			k.bad("http.web_config_file", h.WebConfigFile, err.Error())
		}
	case !isLoopback(h.Listen):
		k.c.warn("http.listen: " + h.Listen + " is no loopback address, and without http.web_config_file there is neither TLS nor a password: " +
			"whoever reaches it reads everything")
	}
}

// isLoopback reports whether a listener can be reached from this machine alone.
func isLoopback(listen string) bool {
	host, _, _ := net.SplitHostPort(listen) // it was checked
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

func (k *checker) references() {
	v := &k.c.Vantage
	for i, a := range v.References {
		switch _, inside := k.c.Targets.Index(a); {
		case inside:
			k.bad("vantage.references", a.String(), "lies in the space: a reference must not share its fate")
		case slices.Contains(v.References[:i], a):
			k.bad("vantage.references", a.String(), "stands there twice")
		case a.IsUnspecified() || a.IsMulticast():
			k.bad("vantage.references", a.String(), "is no address of a host")
		}
	}
	if lone := probe.LoneReference(v.References, k.c.Targets); lone.IsValid() {
		k.c.warn("vantage.references: " + lone.String() + " is the only one of its address family, and targets are of it too: " +
			"while it does not answer, all is unknown; add another")
	}
	if err := probe.Vouch(v.References, k.c.Targets); err != nil && !v.AcknowledgeNoVantage {
		k.c.warn("vantage.references: " + err.Error() + ": no total outage will be declared, for a fault of our own " +
			"could not be told from one (vantage.acknowledge_no_vantage = true accepts the risk)")
	}
}

func (c *Config) warn(text string) { c.Warnings = append(c.Warnings, text) }

// CheckRun is a *ConfigError where `run` would have nobody to probe, or nobody to be asked about it.
func (c *Config) CheckRun() error {
	k := &checker{c: c}
	if c.Targets.Len() == 0 {
		k.missing("space.targets", `name the addresses to probe, like targets = ["198.18.0.0/22"]: nobody is probed by default`)
	}
	if !isLabSpace(c.Targets) && strings.TrimSpace(c.Probe.Contact) == "" {
		k.missing("probe.contact", "say in every packet who probes, by an address or a page that answers questions about it")
	}
	if len(k.problems) > 0 {
		return &ConfigError{k.problems}
	}
	return nil
}

// shortestKept is how many days of rounds are needed to judge what lasts, and to learn anew after an upgrade.
const shortestKept = 10

func (k *checker) keep() {
	c := &k.c.Store
	for _, days := range []struct {
		key   string
		value int
	}{{"store.keep_rounds_days", c.KeepRoundsDays}, {"store.keep_summaries_days", c.KeepSummariesDays},
		{"store.keep_hours_days", c.KeepHoursDays}, {"store.keep_outages_days", c.KeepOutagesDays}} {
		if days.value != 0 && (days.value < shortestKept || days.value > longestKept) {
			k.bad(days.key, days.value, fmt.Sprintf("want %d to %d days, or 0 for ever", shortestKept, longestKept))
		}
	}
	if c.MaxSizeMB < 0 {
		k.bad("store.max_size_mb", c.MaxSizeMB, "want 0 for any size, or more")
	}
}
