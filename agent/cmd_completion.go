package agent

import (
	"github.com/spf13/cobra"
)

func (a *app) completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish"}
	c := &cobra.Command{
		Use: "completion bash|zsh|fish", Short: "Print a shell's completion script", GroupID: groupCare, ValidArgs: shells,
		Example: "  source <(brownout completion bash)\n" +
			"  brownout completion zsh > \"${fpath[1]}/_brownout\"\n" +
			"  brownout completion fish > ~/.config/fish/completions/brownout.fish",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return badUsage(c, "name one shell: bash, zsh or fish")
			}
			return nil
		},
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		root := c.Root()
		switch args[0] {
		case "bash":
			return root.GenBashCompletionV2(a.stdout, true)
		case "zsh":
			return root.GenZshCompletion(a.stdout)
		case "fish":
			return root.GenFishCompletion(a.stdout, true)
		}
		return badUsage(c, "%q is none of bash, zsh, fish", args[0])
	}
	return c
}
