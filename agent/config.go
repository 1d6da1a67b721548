package agent

import (
	"net/netip"
	"time"

	"brownout/probe"
)

// Config is the configuration file, with every default filled in. Its TOML names are its keys: probe.round and so on.
type Config struct {
	Space   SpaceConfig    `toml:"space"`
	Probe   ProbeConfig    `toml:"probe"`
	Vantage VantageConfig  `toml:"vantage"`
	Store   StoreConfig    `toml:"store"`
	HTTP    HTTPConfig     `toml:"http"`
	About   AboutConfig    `toml:"about"`
	Log     LogConfig      `toml:"log"`
	Notify  []NotifyConfig `toml:"notify"`

	// Targets is space.targets less space.exclude, with "@file" read.
	Targets probe.Space `toml:"-"`
	// Warnings are for the user's eyes: none keeps brownout from running.
	Warnings []string `toml:"-"`

	file        string            // the file that was read; "": none
	mistakes    []Problem         // of one that was only asked which store is meant
	unread      bool              // whether no more of it could be than which store is meant
	hidden      bool              // whether not even that, for it may not be read
	illegible   bool              // nor that, for it is no TOML where the store is named
	credentials string            // where systemd puts secrets; "": nowhere
	service     bool              // whether systemd started us
	origins     map[string]Origin // where each key's value came from; none: the default
}

// SpaceConfig names the addresses to probe.
type SpaceConfig struct {
	Targets   []string `toml:"targets"`    // CIDRs, addresses, "@file"
	Exclude   []string `toml:"exclude"`    // the same; never probed
	BlockBits int      `toml:"block_bits"` // prefix length of the blocks that have a verdict of their own
}

// ProbeConfig says how they are probed.
type ProbeConfig struct {
	Protocols       []probe.Protocol `toml:"protocols"`
	Round           time.Duration    `toml:"round"`         // one probe of every service is spread over it
	Timeout         time.Duration    `toml:"timeout"`       // silence after it
	LateWindow      time.Duration    `toml:"late_window"`   // after the send; a reply within it is late, not lost
	Retries         int              `toml:"retries"`       // of usual services that stay silent
	CoreInterval    time.Duration    `toml:"core_interval"` // 0: no core passes between rounds
	Rate            int              `toml:"rate"`          // packets a second, overall
	RatePer24       float64          `toml:"rate_per_24"`   // ICMP first probes of full rounds, per second and /24
	ExtraPer24      float64          `toml:"extra_per_24"`  // retries, core and confirmations, per second and /24
	Contact         string           `toml:"contact"`
	ICMP            probe.ICMPMode   `toml:"icmp"`
	DNSName         string           `toml:"dns_name"`
	DNSType         string           `toml:"dns_type"`
	AcknowledgeFast bool             `toml:"acknowledge_fast"`
}

// VantageConfig says who probes, and who vouches for its own connectivity.
type VantageConfig struct {
	Name                 string       `toml:"name"`
	References           []netip.Addr `toml:"references"`
	AcknowledgeNoVantage bool         `toml:"acknowledge_no_vantage"`
}

// StoreConfig says where results are kept, and how long.
type StoreConfig struct {
	Path              string `toml:"path"`             // of one bbolt file
	KeepRoundsDays    int    `toml:"keep_rounds_days"` // 0: for ever, as below
	KeepSummariesDays int    `toml:"keep_summaries_days"`
	KeepHoursDays     int    `toml:"keep_hours_days"`
	KeepOutagesDays   int    `toml:"keep_outages_days"`
	MaxSizeMB         int    `toml:"max_size_mb"` // in use; 0: any
}

// HTTPConfig says where the API is served.
type HTTPConfig struct {
	Listen        string `toml:"listen"`          // host:port; "": nowhere but the store's Unix socket
	WebConfigFile string `toml:"web_config_file"` // TLS and basic authentication, as Prometheus exporters have it; "": none
}

// AboutConfig is what the page says of who probes.
type AboutConfig struct {
	Operator string `toml:"operator"`
	Purpose  string `toml:"purpose"`
	OptOut   string `toml:"opt_out"` // how to be left alone; "": by probe.contact
}

// LogConfig shapes what `run` tells on standard error.
type LogConfig struct {
	Level  string `toml:"level"`  // debug, info, warn or error
	Format string `toml:"format"` // text or json
}

// NotifyConfig is a place that transitions are delivered to.
type NotifyConfig struct {
	Type       string `toml:"type"` // webhook, alertmanager or shoutrrr
	Name       string `toml:"name"` // of what it has delivered, in the store; "": the type
	URL        string `toml:"url"`
	URLFile    string `toml:"url_file"`    // a file that holds the URL, relative to the configuration file, or credential:NAME
	SecretFile string `toml:"secret_file"` // the same of the key that signs a webhook's requests
	Quiet      string `toml:"quiet"`       // hours in which only a total outage is told
	QuietTotal bool   `toml:"quiet_total"` // in which not even that is
	Blocks     bool   `toml:"blocks"`      // whether the blocks' outages are told of beside the space's
	Title      string `toml:"title"`       // templates
	Text       string `toml:"text"`
}

// DefaultConfig is what a key that nothing sets has. The rates are those of ISI's Internet surveys: 256 echo requests
// per 660 s and /24.
func DefaultConfig() *Config {
	return &Config{
		Space: SpaceConfig{Targets: []string{}, Exclude: []string{}, BlockBits: 24},
		Probe: ProbeConfig{
			Protocols: []probe.Protocol{probe.ICMP, probe.TCP(80), probe.TCP(443), probe.DNS},
			Round:     11 * time.Minute, Timeout: 3 * time.Second, LateWindow: 30 * time.Second,
			Retries: 1, Rate: mannersRate, RatePer24: mannersPer24, ExtraPer24: mannersExtraPer24,
			DNSName: ".", DNSType: "NS",
		},
		Vantage: VantageConfig{References: []netip.Addr{}},
		HTTP:    HTTPConfig{Listen: "127.0.0.1:8413"},
		Log:     LogConfig{Level: "info", Format: "text"},
		origins: map[string]Origin{},
	}
}

// Origin says where a value came from: "brownout.toml:7", "BROWNOUT_PROBE_ROUND", "--store" or "default".
type Origin string

const fromDefault Origin = "default"

// Origin is where the value of a key, like "probe.round", came from.
func (c *Config) Origin(key string) Origin {
	if o, ok := c.origins[key]; ok {
		return o
	}
	return fromDefault
}

// File is the configuration file that was read, or "".
func (c *Config) File() string { return c.file }
