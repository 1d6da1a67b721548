package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// file is a scenario as TOML. Times are TOML's own date-times or RFC 3339 strings, durations are Go's, like "11m".
type file struct {
	Name        string       `toml:"name"`
	Description string       `toml:"description"`
	Start       time.Time    `toml:"start"`
	End         time.Time    `toml:"end"`
	Seed        uint64       `toml:"seed"`
	Space       []string     `toml:"space"`
	References  []netip.Addr `toml:"references"`
	Demo        fileDemo     `toml:"demo"`
	Noise       fileNoise    `toml:"noise"`
	Hosts       []fileHosts  `toml:"hosts"`
	Timeline    []filePhase  `toml:"timeline"`
}

type fileDemo struct {
	Protocols    []string `toml:"protocols"`
	Round        duration `toml:"round"`
	CoreInterval duration `toml:"core_interval"`
	Timeout      duration `toml:"timeout"`
	BlockBits    int      `toml:"block_bits"`
}

type fileNoise struct {
	Loss        float64    `toml:"loss"`
	Duplicates  float64    `toml:"duplicates"`
	Late        float64    `toml:"late"`
	LateBy      duration   `toml:"late_by"`
	Corrupted   float64    `toml:"corrupted"`
	Forged      float64    `toml:"forged"`
	Unreachable float64    `toml:"unreachable"`
	Router      netip.Addr `toml:"router"`
}

// fileHosts is one host, named by address, or a population: count addresses of prefix, chosen by the seed. Where a
// population gives a range, its hosts are spread evenly over it.
type fileHosts struct {
	Address         netip.Addr   `toml:"address"`
	Prefix          netip.Prefix `toml:"prefix"`
	Count           int          `toml:"count"`
	Availability    *float64     `toml:"availability"`
	AvailabilityMax *float64     `toml:"availability_max"`
	Spell           duration     `toml:"spell"`
	RTT             duration     `toml:"rtt"`
	RTTMax          *duration    `toml:"rtt_max"`
	Jitter          duration     `toml:"jitter"`
	ICMP            bool         `toml:"icmp"`
	Open            []uint16     `toml:"open"`
	Refuse          []uint16     `toml:"refuse"`
	DNS             string       `toml:"dns"`
}

type filePhase struct {
	From     time.Time      `toml:"from"`
	To       time.Time      `toml:"to"`
	State    State          `toml:"state"`
	Dark     []netip.Prefix `toml:"dark"`
	Loss     float64        `toml:"loss"`
	Within   []netip.Prefix `toml:"within"`
	Protocol string         `toml:"protocol"`
	Optional bool           `toml:"optional"`
}

// duration reads "1h30m".
type duration time.Duration

func (d *duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("%q is no duration, like 1h30m or 2ms", b)
	}
	if v < 0 {
		return fmt.Errorf("the duration %s is negative", v)
	}
	*d = duration(v)
	return nil
}

// ReadScenario reads a scenario from a file.
func ReadScenario(path string) (*Scenario, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read scenario: %w", err)
	}
	return ParseScenario(path, b)
}

// ParseScenario reads a scenario from TOML. Unknown keys and impossible values are errors that begin with name and the
// place, a line or a key.
func ParseScenario(name string, text []byte) (*Scenario, error) {
	var f file
	dec := toml.NewDecoder(newReader(text)).DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return nil, fmt.Errorf("scenario %s: %w", name, placed(err))
	}
	s, err := f.scenario()
	if err == nil {
		err = s.check()
	}
	if err != nil {
		return nil, fmt.Errorf("scenario %s: %w", name, err)
	}
	return s, nil
}

// placed puts line and column in front of what go-toml says.
func placed(err error) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		e := &strict.Errors[0]
		line, column := e.Position()
		return fmt.Errorf("line %d, column %d: unknown key %q", line, column, dotted(e.Key()))
	}
	var bad *toml.DecodeError
	if errors.As(err, &bad) {
		line, column := bad.Position()
		return fmt.Errorf("line %d, column %d: %s: %s", line, column, dotted(bad.Key()), bad.Error())
	}
	return err
}
