package agent

import (
	"fmt"

	"github.com/spf13/cobra"

	"brownout/agent/web"
	"brownout/store"
)

func (a *app) storeCommand() *cobra.Command {
	c := asGroup(&cobra.Command{Use: "store", Short: "Verify or back up the result store", GroupID: groupCare})
	c.AddCommand(a.storeVerifyCommand(), a.storeBackupCommand())
	return c
}

func (a *app) storeVerifyCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "verify", Short: "Check every page and record", Args: noArgs,
		Long:    "Checks the file's pages, every record's checksum and encoding, and that nothing is missing. Exit code 1: something is.",
		Example: "  brownout store verify\n  brownout store verify --store backup.db",
	}
	f := configFlagsOf(c)
	f.store(c)
	c.RunE = func(*cobra.Command, []string) error {
		return a.withStore(f, func(s *store.Store) error {
			if err := s.Verify(a.verifyProgress()); err != nil {
				return hint(err, "keep the file; restore a backup, or move it away and `brownout run` makes a new one")
			}
			_, err := fmt.Fprintf(a.stdout, "%s: ok\n", s.Path())
			return err
		})
	}
	return c
}

// verifyProgress tells a terminal how far a check got; nil elsewhere.
func (a *app) verifyProgress() func(done, total int) {
	if !isTerminal(a.stderr) {
		return nil
	}
	percent := -1
	return func(done, total int) {
		if now := 100 * done / max(total, 1); now != percent {
			percent = now
			fmt.Fprintf(a.stderr, "\r\x1b[Kbrownout: %d%% verified", percent)
		}
		if done >= total {
			fmt.Fprint(a.stderr, "\r\x1b[K")
		}
	}
}

func (a *app) storeBackupCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "backup FILE", Short: "Copy the store to a new file",
		Long:    "Copies the store, whole or not at all, to a file that must not exist yet. The agent must not be running on it.",
		Example: "  brownout store backup /var/backups/brownout-$(date +%F).db",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return badUsage(c, "name one file to write")
			}
			return nil
		},
	}
	f := configFlagsOf(c)
	f.store(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		return a.withStore(f, func(s *store.Store) error {
			if err := s.Backup(args[0]); err != nil {
				return hint(err, "name a file that does not exist, in a directory that can be written")
			}
			_, err := fmt.Fprintf(a.stdout, "%s: a copy of %s\n", args[0], s.Path())
			return err
		})
	}
	return c
}

// withStore opens the configured store for reading.
func (a *app) withStore(f *configFlags, do func(*store.Store) error) error {
	cfg, err := a.load(f)
	if err != nil {
		return err
	}
	s, err := store.Open(cfg.Store.Path, store.Options{ReadOnly: true, Timeout: storeWait})
	if err != nil {
		if web.Answers(cfg.Store.Path) {
			return hint(err, "stop the agent for as long as this takes")
		}
		return explainStore(err)
	}
	defer s.Close()
	return do(s)
}
