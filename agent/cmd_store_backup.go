package agent

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"brownout/store"
)

func (a *app) storeBackupCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "backup FILE", Short: "Copy the store to a new file",
		Long: "Copies the store as of one moment, whole or not at all, to a file that must not exist yet, and verifies the copy. The\n" +
			"agent may be running.",
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
	c.RunE = func(c *cobra.Command, args []string) error {
		cfg, err := a.loadToAsk(f)
		if err != nil {
			return err
		}
		care, err := a.dialCare(c.Context(), cfg.Store.Path, false)
		if err != nil {
			return err
		}
		defer care.close()
		err = store.WriteNew(args[0], func(to *os.File) error {
			if err := care.backup(c.Context(), to); err != nil {
				return err
			}
			return a.verifyCopy(to)
		})
		if err != nil {
			return hint(fmt.Errorf("back up %s to %s: %w", cfg.Store.Path, args[0], err), "name a file that does not exist, in a directory that can be written")
		}
		_, err = fmt.Fprintf(a.stdout, "%s: a copy of %s\n", args[0], cfg.Store.Path)
		return err
	}
	return c
}

// verifyCopy checks a backup before it gets its name.
func (a *app) verifyCopy(f *os.File) error {
	if err := f.Sync(); err != nil {
		return err
	}
	s, err := store.Open(f.Name(), store.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Verify(a.careProgress("verified"))
}
