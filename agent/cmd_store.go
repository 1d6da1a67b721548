package agent

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"brownout/store"
)

func (a *app) storeCommand() *cobra.Command {
	c := asGroup(&cobra.Command{Use: "store", Short: "Verify, back up, shrink or upgrade the result store", GroupID: groupCare})
	c.AddCommand(a.storeVerifyCommand(), a.storeBackupCommand(), a.storeCompactCommand(), a.storePruneCommand(), a.storeUpgradeCommand())
	return c
}

func (a *app) storeVerifyCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "verify", Short: "Check every page and record", Args: noArgs,
		Long: "Checks the file's pages, every record's checksum and encoding, and that nothing is missing. Exit code 1: something is.\n" +
			"A running agent does it itself, and goes on measuring.",
		Example: "  brownout store verify\n  brownout store verify --store backup.db",
	}
	f := configFlagsOf(c)
	f.store(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		path, err := a.careFor(c.Context(), f, careTaskOf("verify"), nil, nil)
		if err != nil {
			return explainVerify(err)
		}
		_, err = fmt.Fprintf(a.stdout, "%s: ok\n", path)
		return err
	}
	return c
}

// explainVerify adds the next step to what is wrong with a store, and not to what kept us from looking.
func explainVerify(err error) error {
	const next = "keep the file; restore a backup, or move it away and `brownout run` makes a new one"
	var damaged *store.DamagedError
	if errors.As(err, &damaged) {
		return hint(err, next)
	}
	return hintUnlessHinted(err, next)
}

func (a *app) storeCompactCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "compact", Short: "Give the file's free room back to the disk", Args: noArgs,
		Long: "Copies the store to a new file without the room that is free in the old one, and puts it in the old one's place.\n" +
			"It needs room for the copy. A running agent does it itself, and goes on measuring.",
		Example: "  brownout store compact",
	}
	f := configFlagsOf(c)
	f.store(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		var sizes compacted
		path, err := a.careFor(c.Context(), f, careTaskOf("compact"), nil, &sizes)
		if err != nil {
			return hintUnlessHinted(err, "the store is as it was; `brownout store verify` tells whether it is damaged")
		}
		was := "was " + bytesOf(sizes.Before)
		if sizes.After == sizes.Before {
			was = "as it was: there was nothing to gain"
		}
		_, err = fmt.Fprintf(a.stdout, "%s: %s, %s\n", path, bytesOf(sizes.After), was)
		return err
	}
	return c
}

func (a *app) storePruneCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "prune", Short: "Drop what is older than the configuration wants", Args: noArgs,
		Long: "Drops rounds, summaries and outages that are older than the configuration's [store] wants, as a running agent does\n" +
			"every hour. The room in the file is used again; `store compact` gives it back to the disk.",
		Example: "  brownout store prune --dry-run\n  brownout store prune --set store.keep_rounds_days=90",
	}
	f := configFlagsOf(c)
	f.store(c)
	dry := c.Flags().Bool("dry-run", false, "only say what would be dropped for its age")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := a.load(f)
		if err != nil {
			return err
		}
		q := retentionValues(&cfg.Store)
		task := *careTaskOf("prune")
		if *dry {
			q.Set("dry", "1")
			task.writes = false
		}
		var p store.Pruned
		if _, err := a.careFor(c.Context(), f, &task, q, &p); err != nil {
			return err
		}
		return a.tellPruned(&p, *dry)
	}
	return c
}

func (a *app) tellPruned(p *store.Pruned, dry bool) error {
	did, rest := "dropped", fmt.Sprintf("; %s are free for what comes", bytesOf(p.Freed))
	if dry {
		did, rest = "would drop", ""
	}
	_, err := fmt.Fprintf(a.stdout, "%s %s, %s, %s, %s%s\n", did, countOf(p.Rounds, "round", "rounds"), countOf(p.Summaries, "summary", "summaries"),
		countOf(p.Hours, "hour", "hours"), countOf(p.Outages, "outage", "outages"), rest)
	return err
}

func (a *app) storeUpgradeCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "upgrade", Short: "Bring a store of an older version to this one's schema", Args: noArgs,
		Long: "Brings the store to the schema that this version works on. The file as it was is kept beside it. The agent must not\n" +
			"be running on it.",
		Example: "  brownout store upgrade",
	}
	f := configFlagsOf(c)
	f.store(c)
	c.RunE = func(*cobra.Command, []string) error {
		cfg, err := a.loadToAsk(f)
		if err != nil {
			return err
		}
		u, err := store.Upgrade(cfg.Store.Path, store.Options{Timeout: storeWait}, a.careProgress("upgraded"))
		if errors.Is(err, store.ErrLocked) {
			return hint(err, "nothing was changed; an agent that runs upgraded its store when it started, and needs no other upgrade")
		}
		if err != nil {
			return explainStore(err)
		}
		said := fmt.Sprintf("has schema %d already", u.To)
		if u.From != u.To {
			said = fmt.Sprintf("has schema %d now; as it was it is kept as %s", u.To, u.Backup)
		}
		_, err = fmt.Fprintf(a.stdout, "%s: %s\n", cfg.Store.Path, said)
		return err
	}
	return c
}

// bytesOf prints a size for people.
func bytesOf(n int64) string {
	switch {
	case n >= 10<<20:
		return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.0f KiB", float64(n)/(1<<10))
}
