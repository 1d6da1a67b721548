package agent

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// manCommand prints the manual page, for who makes a package.
func (a *app) manCommand() *cobra.Command {
	c := &cobra.Command{Use: "man", Short: "Print the manual page", Hidden: true, Args: noArgs, GroupID: groupCare}
	c.RunE = func(c *cobra.Command, _ []string) error { return writeManual(a.stdout, c.Root()) }
	return c
}

// writeManual writes what the commands say of themselves as a page for man(1), in the macros of man(7).
func writeManual(w io.Writer, root *cobra.Command) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, ".TH BROWNOUT 1 \"\" \"brownout %s\" \"User Commands\"\n", readBuildInfo().Version)
	fmt.Fprintf(out, ".SH NAME\nbrownout \\- %s\n", roff(lowerFirst(root.Short)))
	fmt.Fprintf(out, ".SH SYNOPSIS\n.B brownout\n.I command\n.RI [ flags ]\n.SH DESCRIPTION\n%s\n.SH COMMANDS\n", roff(root.Long))
	for _, c := range root.Commands() {
		writeManualOf(out, c)
	}
	out.WriteString(".SH FILES\n.TP\n.I /etc/brownout/config.toml\nThe configuration; config.example.toml has every key with its default.\n" +
		".TP\n.I /var/lib/brownout/brownout.db\nThe store, and beside it the socket by which the commands ask the running agent.\n" +
		".SH EXIT STATUS\n0: ok. 1: failure. 2: usage or configuration.\n")
	return out.Flush()
}

func writeManualOf(out *bufio.Writer, c *cobra.Command) {
	if c.Hidden || !c.IsAvailableCommand() {
		return
	}
	if c.Runnable() && !c.HasSubCommands() {
		text := c.Long
		if text == "" {
			text = c.Short + "."
		}
		fmt.Fprintf(out, ".SS %s\n%s\n", roff(strings.TrimPrefix(c.UseLine(), "brownout ")), roff(text))
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name == "help" {
				return
			}
			value, use := pflag.UnquoteUsage(f)
			fmt.Fprintf(out, ".TP\n\\fB\\-\\-%s\\fR \\fI%s\\fR\n%s\n", roff(f.Name), roff(value), roff(use))
		})
		if c.Example != "" {
			fmt.Fprintf(out, ".PP\n.nf\n%s\n.fi\n", roff(c.Example))
		}
	}
	for _, sub := range c.Commands() {
		writeManualOf(out, sub)
	}
}

// roff escapes what man(7) would take for its own.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }
