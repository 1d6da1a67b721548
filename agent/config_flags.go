package agent

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// configFlags are the flags by which a command finds its configuration.
type configFlags struct {
	path string
	sets []FlagValue
}

// configFlagsOf adds --config and --set to a command.
func configFlagsOf(c *cobra.Command) *configFlags {
	f := &configFlags{}
	c.Flags().StringVar(&f.path, "config", "", "configuration `file` (default $BROWNOUT_CONFIG, the user's, /etc/brownout/config.toml)")
	c.Flags().Var(&setFlag{f: f}, "set", "set a `key`, like probe.round=5m; beats the file (may be repeated)")
	return f
}

// key adds a flag that sets a key: --store for store.path.
func (f *configFlags) key(c *cobra.Command, flag, key, use string) {
	c.Flags().Var(&setFlag{f: f, flag: "--" + flag, key: key}, flag, use)
}

// truth adds a switch that sets a key to true.
func (f *configFlags) truth(c *cobra.Command, flag, key, use string) {
	c.Flags().VarPF(&setFlag{f: f, flag: "--" + flag, key: key, truth: true}, flag, "", use).NoOptDefVal = "true"
}

// store adds --store.
func (f *configFlags) store(c *cobra.Command) { f.key(c, "store", "store.path", "result store `file`") }

// load reads the configuration.
func (a *app) load(f *configFlags) (*Config, error) {
	return LoadConfig(Sources{Path: f.path, Environ: a.env, Flags: f.sets})
}

// loadToAsk reads the configuration for a command that only needs to know which store is meant.
func (a *app) loadToAsk(f *configFlags) (*Config, error) {
	c, err := LoadConfig(Sources{Path: f.path, Environ: a.env, Flags: f.sets, Asks: true})
	if err != nil {
		return nil, err
	}
	if len(c.mistakes) > 0 {
		a.talk.warn("%s (with that `brownout run` would not start: see `brownout config check`)", c.mistakes[0])
	}
	return c, nil
}

// setFlag is a flag that sets a key of the configuration; without a key of its own it takes KEY=VALUE.
type setFlag struct {
	f    *configFlags
	flag string
	key  string

	truth bool // a switch, needing no value
}

func (s *setFlag) String() string { return "" }

func (s *setFlag) Type() string {
	if s.truth {
		return "bool"
	}
	return "string"
}

func (s *setFlag) Set(value string) error {
	if s.key != "" {
		s.f.sets = append(s.f.sets, FlagValue{s.flag, s.key, value})
		return nil
	}
	key, value, ok := strings.Cut(value, "=")
	if !ok {
		return fmt.Errorf("want KEY=VALUE, like probe.round=5m")
	}
	s.f.sets = append(s.f.sets, FlagValue{"--set", strings.TrimSpace(key), strings.TrimSpace(value)})
	return nil
}
