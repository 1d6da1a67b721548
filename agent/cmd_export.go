package agent

import "github.com/spf13/cobra"

func (a *app) exportCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "export", Short: "Print rounds for other programs", GroupID: groupQuery, Args: noArgs,
		Long: "Prints rounds, the oldest first: as JSON Lines in the interchange format, which `brownout replay` reads,\n" +
			"or as tidy CSV, one probe a row.",
		Example: "  brownout export > rounds.jsonl\n  brownout export | brownout replay -\n  brownout export --format csv --since -24h",
	}
	q := a.queryOf(c, "jsonl", "csv")
	q.spanFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error { return q.stream(c.Context(), "export") }
	return c
}
