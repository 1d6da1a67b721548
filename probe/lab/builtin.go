package lab

import (
	"embed"
	"fmt"
	"slices"
	"strings"
)

//go:embed scenarios/*.toml
var scenarios embed.FS

// DefaultScenario is the one that a demonstration shows unless told otherwise.
const DefaultScenario = "december-2014"

// Builtins are the names of the scenarios that come with the program, in order.
func Builtins() []string {
	entries, err := scenarios.ReadDir("scenarios")
	if err != nil {
		panic(err) // the directory is embedded
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ".toml")
	}
	return names
}

// Builtin is the scenario of a name.
func Builtin(name string) (*Scenario, error) {
	if names := Builtins(); !slices.Contains(names, name) {
		return nil, fmt.Errorf("scenario %q is none of %s", name, strings.Join(names, ", "))
	}
	text, err := scenarios.ReadFile("scenarios/" + name + ".toml")
	if err != nil {
		return nil, fmt.Errorf("read scenario: %w", err)
	}
	return ParseScenario(name, text)
}
