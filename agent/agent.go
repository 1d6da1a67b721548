package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// Exit codes of every command; `status --exit-code` has its own.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2 // usage or configuration
)

// app is one run of the program.
type app struct {
	stdin  io.Reader
	stdout io.Writer // data
	stderr io.Writer // talk
	talk   talk
	env    []string
	args   []string
}

// Run runs the command that args name and returns the program's exit code. It returns soon after ctx ends.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	out := &output{Writer: stdout}
	a := &app{stdin: stdin, stdout: out, stderr: stderr, talk: talk{stderr}, env: os.Environ(), args: args}
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(out)
	root.SetErr(stderr)
	c, err := root.ExecuteContextC(ctx)
	if out.failed != nil {
		err = hint(fmt.Errorf("write the answer: %w", out.failed), "what was printed is not whole: look at where it goes")
		if c.Name() == statusName {
			err = a.statusFailure(err)
		}
	}
	return a.talk.failure(err)
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "brownout",
		Short: "Tell total outages of a small address space from partial ones",
		Long: "brownout sweeps every address of a small space by ICMP, TCP and DNS, keeps every round,\n" +
			"and tells total outages from partial ones by the addresses that normally answer.",
		Example: "  brownout demo                                 # two outages of 2014, simulated, in two minutes\n" +
			"  brownout sweep --space 127.0.0.0/28 --protocols icmp --unpaced\n" +
			"  brownout status",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usage(c, err) })
	root.AddGroup(
		&cobra.Group{ID: groupMeasure, Title: "Measure:"},
		&cobra.Group{ID: groupQuery, Title: "Query:"},
		&cobra.Group{ID: groupCare, Title: "Care:"},
	)
	root.AddCommand(a.commands()...)
	root.SetHelpCommandGroupID(groupCare)
	asGroup(root)
	return root
}

const (
	groupMeasure = "measure"
	groupQuery   = "query"
	groupCare    = "care"
)

// commands are all of them, in the order of the help text's groups.
func (a *app) commands() []*cobra.Command {
	return []*cobra.Command{
		a.runCommand(), a.demoCommand(), a.watchCommand(), a.sweepCommand(), a.pingCommand(), a.replayCommand(),
		a.statusCommand(), a.outagesCommand(), a.roundsCommand(), a.addressCommand(), a.exportCommand(), a.importCommand(), a.serveCommand(),
		a.doctorCommand(), a.healthcheckCommand(), a.configCommand(), a.notifyCommand(), a.storeCommand(), a.versionCommand(), a.completionCommand(), a.manCommand(),
	}
}

// asGroup makes a command one that only holds others: alone it prints its help, and an unknown name is a usage error.
func asGroup(c *cobra.Command) *cobra.Command {
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return c.Help()
		}
		c.SuggestionsMinimumDistance = 2
		err := fmt.Errorf("unknown command %q", strings.TrimPrefix(c.CommandPath()+" "+args[0], "brownout "))
		if near := c.SuggestionsFor(args[0]); len(near) > 0 {
			return &hintError{err, exitUsage, "did you mean " + c.CommandPath() + " " + near[0] + "?"}
		}
		return usage(c, err)
	}
	return c
}

// hintError is a failure whose next step is known.
type hintError struct {
	err  error
	code int
	hint string
}

func (e *hintError) Error() string { return e.err.Error() }

// Unwrap gives the failure itself.
func (e *hintError) Unwrap() error { return e.err }

// hint adds a next step to a failure.
func hint(err error, next string) error {
	if err == nil {
		return nil
	}
	return &hintError{err, exitFailure, next}
}

// hintUnlessHinted adds a next step to a failure that has none of its own.
func hintUnlessHinted(err error, next string) error {
	var hinted *hintError
	var config *ConfigError
	if errors.As(err, &hinted) || errors.As(err, &config) {
		return err
	}
	return hint(err, next)
}

// usage marks an error as one of usage.
func usage(c *cobra.Command, err error) error {
	return &hintError{err, exitUsage, "run " + c.CommandPath() + " --help"}
}

// badUsage is an error of usage.
func badUsage(c *cobra.Command, format string, args ...any) error {
	return usage(c, fmt.Errorf(format, args...))
}

// noArgs refuses arguments.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return badUsage(c, "%s takes no arguments, and there is %q", c.CommandPath(), args[0])
}

// exitCode ends the program with a code and says nothing more.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// codeOf is the exit code that an error stands for.
func codeOf(err error) int {
	var code exitCode
	var hinted *hintError
	var config *ConfigError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &config):
		return exitUsage
	case errors.As(err, &hinted):
		return hinted.code
	}
	return exitFailure
}

// choice is a flag that takes one of a few words.
type choice struct {
	value *string
	words []string
}

// choiceFlag adds --name with its words, the first of which is the default.
func choiceFlag(c *cobra.Command, name, use string, words ...string) *string {
	value := words[0]
	c.Flags().Var(&choice{&value, words}, name, use+": "+strings.Join(words, ", "))
	_ = c.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)) // the flag was just made
	return &value
}

func (f *choice) String() string { return *f.value }
func (f *choice) Type() string   { return "word" }

func (f *choice) Set(s string) error {
	for _, w := range f.words {
		if s == w {
			*f.value = s
			return nil
		}
	}
	return fmt.Errorf("want one of %s", strings.Join(f.words, ", "))
}
