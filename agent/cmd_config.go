package agent

import (
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func (a *app) configCommand() *cobra.Command {
	c := asGroup(&cobra.Command{Use: "config", Short: "Check or show the configuration", GroupID: groupCare})
	c.AddCommand(a.configCheckCommand(), a.configShowCommand())
	return c
}

func (a *app) configCheckCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "check", Short: "Say whether `brownout run` would take the configuration", Args: noArgs,
		Long: "Reads the configuration as run does and lists everything wrong with it, with file, line and key.\n" +
			"Exit code 0: run would start. 2: it would not.",
		Example: "  brownout config check\n  brownout config check --config ./config.toml",
	}
	f := configFlagsOf(c)
	c.RunE = func(*cobra.Command, []string) error {
		cfg, err := a.load(f)
		if err == nil {
			err = cfg.CheckRun()
		}
		if err != nil {
			return err
		}
		for _, w := range cfg.Warnings {
			a.talk.warn("%s", w)
		}
		_, err = fmt.Fprintf(a.stdout, "%s: ok: %s\n", cfg.name(), cfg.summary())
		return err
	}
	return c
}

// name is the file's, or says that there is none.
func (c *Config) name() string {
	if c.file == "" {
		return "no configuration file"
	}
	return c.file
}

// summary is what would be probed, in a line.
func (c *Config) summary() string {
	names := make([]string, len(c.Probe.Protocols))
	for i, p := range c.Probe.Protocols {
		names[i] = p.String()
	}
	return fmt.Sprintf("%s by %s every %s", addressCount(c.Targets.Len()), strings.Join(names, ", "), shortDuration(c.Probe.Round))
}

// addressCount is so many addresses.
func addressCount(n int) string {
	if n == 1 {
		return "1 address"
	}
	return strconv.Itoa(n) + " addresses"
}

func (a *app) configShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "show", Short: "Print the configuration in effect, and where each value came from", Args: noArgs,
		Long:    "Prints TOML that can be used as a configuration file, but for secrets: those are hidden.",
		Example: "  brownout config show\n  BROWNOUT_PROBE_ROUND=5m brownout config show --set vantage.name=fra1",
	}
	f := configFlagsOf(c)
	c.RunE = func(*cobra.Command, []string) error {
		cfg, err := a.load(f)
		if err != nil {
			return err
		}
		return cfg.show(a.stdout)
	}
	return c
}

// show writes c as TOML; each key's comment says where its value came from.
func (c *Config) show(w io.Writer) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(out, "# %s\n", c.name())
	table := ""
	for _, s := range settings(c) {
		section, name, _ := strings.Cut(s.key, ".")
		if section != table {
			fmt.Fprintf(out, "\n[%s]\n", section)
			table = section
		}
		fmt.Fprintf(out, "%s = %s\t# %s\n", name, literal(s.field), c.Origin(s.key))
	}
	for i := range c.Notify {
		fmt.Fprintf(out, "\n[[notify]]\n")
		eachField(reflect.ValueOf(&c.Notify[i]).Elem(), func(name string, v reflect.Value) {
			value := literal(v)
			if name == "url" {
				value = hidden
			}
			if !v.IsZero() {
				fmt.Fprintf(out, "%s = %s\t# %s\n", name, value, c.Origin(fmt.Sprintf("notify[%d].%s", i, name)))
			}
		})
	}
	return out.Flush()
}
