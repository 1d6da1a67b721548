package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"brownout/agent/notify"
)

func (a *app) notifyCommand() *cobra.Command {
	c := asGroup(&cobra.Command{Use: "notify", Short: "Try how people are told of outages", GroupID: groupCare})
	c.AddCommand(a.notifyTestCommand())
	return c
}

func (a *app) notifyTestCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "test [NAME]", Short: "Send a message by every channel, or by one",
		Long: "Sends a message that says it is a test by each [[notify]] of the configuration, quiet hours or not, and says\n" +
			"what became of it. The agent need not run. Exit code 1: one failed.",
		Example: "  brownout notify test\n  brownout notify test phone",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return badUsage(c, "name one channel, or none for all")
			}
			return nil
		},
	}
	f := configFlagsOf(c)
	timeout := c.Flags().Duration("timeout", 30*time.Second, "how long to wait for each")
	c.RunE = func(c *cobra.Command, args []string) error {
		cfg, err := a.load(f)
		if err != nil {
			return err
		}
		channels, err := cfg.channels(nil)
		if err != nil {
			return err
		}
		return a.testChannels(c.Context(), cfg, channels, args, *timeout)
	}
	return c
}

func (a *app) testChannels(ctx context.Context, cfg *Config, channels []notify.Channel, names []string, timeout time.Duration) error {
	tried, failed := 0, 0
	for i := range channels {
		if len(names) > 0 && channels[i].Name != names[0] {
			continue
		}
		tried++
		ctx, cancel := context.WithTimeout(ctx, timeout)
		err := channels[i].Try(ctx, notify.TestNotice(cfg.Vantage.Name, time.Now()))
		cancel()
		if err != nil {
			failed++
			a.talk.say("%s: %v", channels[i].Name, err)
			continue
		}
		fmt.Fprintf(a.stdout, "%s: ok\n", channels[i].Name)
	}
	switch {
	case tried == 0 && len(names) > 0:
		return hint(fmt.Errorf("no channel is called %q", names[0]), "`brownout config show` lists them; the name of one without a name is its type")
	case tried == 0:
		return hint(errors.New("nobody is to be told of anything"), "the end of config.example.toml shows a [[notify]]")
	case failed > 0:
		return hint(fmt.Errorf("%d of %d channels failed", failed, tried), "URLs and secrets are not shown; look at them where the configuration says they are")
	}
	return nil
}
