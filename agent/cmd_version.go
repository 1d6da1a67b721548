package agent

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Version is the release, set by the linker: -ldflags "-X brownout/agent.Version=v1.2.3". Where it is empty, what the Go
// toolchain recorded is used.
var Version string

// buildInfo is what `version` prints.
type buildInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision"` // "": built outside a repository
	Modified bool   `json:"modified"` // the work tree had changes
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func readBuildInfo() buildInfo {
	out := buildInfo{Version: Version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				out.Revision = s.Value
			case "vcs.modified":
				out.Modified = s.Value == "true"
			}
		}
		if out.Version == "" && info.Main.Version != "(devel)" {
			out.Version = info.Main.Version
		}
	}
	if out.Version == "" {
		out.Version = "devel"
	}
	return out
}

func (a *app) versionCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "version", Short: "Print the version", GroupID: groupCare, Args: noArgs,
		Example: "  brownout version --format json",
	}
	format := choiceFlag(c, "format", "output", "text", "json")
	c.RunE = func(*cobra.Command, []string) error {
		info := readBuildInfo()
		if *format == "json" {
			return json.NewEncoder(a.stdout).Encode(info)
		}
		_, err := fmt.Fprintf(a.stdout, "brownout %s%s %s %s\n", info.Version, info.suffix(), info.Go, info.Platform)
		return err
	}
	return c
}

// suffix is the revision's first digits, where it is known and the version does not say it already.
func (b buildInfo) suffix() string {
	if len(b.Revision) < 12 || b.Version != "devel" {
		return ""
	}
	if b.Modified {
		return " (" + b.Revision[:12] + ", modified)"
	}
	return " (" + b.Revision[:12] + ")"
}
