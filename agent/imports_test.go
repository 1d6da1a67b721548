package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// listedPackage is what `go list -json` says of a package.
type listedPackage struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

// rule forbids the packages that from matches to import those that to matches. "a/..." matches a and all below it.
type rule struct {
	from, to string
	tests    bool // binds test files too
	why      string
}

var importRules = []rule{
	{"brownout/probe/...", "brownout/store/...", true, "imports run agent -> store -> probe: the wire knows no disk"},
	{"brownout/probe/...", "brownout/agent/...", true, "imports run agent -> store -> probe: the wire knows no program"},
	{"brownout/store/...", "brownout/agent/...", true, "imports run agent -> store -> probe: the disk knows no program"},
	{"brownout/store/...", "brownout/probe/lab/...", false, "results do not depend on the simulated space"},
	{"brownout/probe/outage", "brownout/probe/lab/...", false, "the detector does not know who answers"},
	{"brownout/probe", "net/http/...", false, "there is no HTTP below agent, but for bench, which asks a peer by it"},
	{"brownout/probe/outage/...", "net/http/...", false, "there is no HTTP below agent"},
	{"brownout/probe/lab/...", "net/http/...", false, "there is no HTTP below agent"},
	{"brownout/store/...", "net/http/...", false, "there is no HTTP below agent"},
	{"brownout/probe/...", "go.etcd.io/bbolt/...", false, "only store knows the disk"},
	{"brownout/agent/...", "go.etcd.io/bbolt/...", false, "only store knows the disk"},
	{"brownout/probe", "github.com/pelletier/go-toml/...", false, "only agent, and lab's scenarios, read files of settings"},
	{"brownout/probe/outage", "github.com/pelletier/go-toml/...", false, "the detector gets plain fields"},
	{"brownout/store/...", "github.com/pelletier/go-toml/...", false, "packages below agent get plain fields"},
	{"brownout/probe/...", "github.com/spf13/cobra/...", false, "the command line is agent's"},
	{"brownout/store/...", "github.com/spf13/cobra/...", false, "the command line is agent's"},
	{"brownout/probe/outage", "os/...", false, "the detector does no I/O"},
	{"brownout/probe/outage", "net", false, "the detector does no I/O"},
	{"brownout/probe/outage", "log/...", false, "the detector does no I/O"},
	{"brownout/probe/outage", "sync/...", false, "the detector starts no goroutine, and its caller holds it alone"},
	{"brownout/probe/outage", "math/rand/...", false, "the same rounds give the same verdicts"},
}

func TestImportsPointOneWay(t *testing.T) {
	packages := listPackages(t)
	for _, p := range packages {
		for _, r := range importRules {
			for _, forbidden := range r.broken(p) {
				t.Errorf("%s imports %s: %s", p.ImportPath, forbidden, r.why)
			}
		}
	}
}

// A folder of code beside the three rooms needs a decision, not a habit.
func TestTopLevelFoldersAreTheThreeRooms(t *testing.T) {
	var rooms []string
	for _, p := range listPackages(t) {
		room, _, _ := strings.Cut(strings.TrimPrefix(p.ImportPath, "brownout/"), "/")
		rooms = append(rooms, room)
	}
	slices.Sort(rooms)
	if got := strings.Join(slices.Compact(rooms), " "); got != "agent probe store" {
		t.Errorf("top-level code folders are %s, want agent probe store", got)
	}
}

// The rules would be worth nothing if they matched nothing.
func TestImportRuleMatches(t *testing.T) {
	r := rule{from: "brownout/probe/...", to: "net/http/...", tests: false}
	for _, c := range []struct {
		p    listedPackage
		want int
	}{
		{listedPackage{ImportPath: "brownout/probe", Imports: []string{"net", "net/http", "net/http/httptest"}}, 2},
		{listedPackage{ImportPath: "brownout/probe/lab", Imports: []string{"net/http"}}, 1},
		{listedPackage{ImportPath: "brownout/probes", Imports: []string{"net/http"}}, 0},
		{listedPackage{ImportPath: "brownout/probe", Imports: []string{"net/https"}}, 0},
		{listedPackage{ImportPath: "brownout/probe", TestImports: []string{"net/http"}}, 0},
	} {
		if got := r.broken(c.p); len(got) != c.want {
			t.Errorf("%+v breaks the rule by %q, want %d", c.p, got, c.want)
		}
	}
	r.tests = true
	if got := r.broken(listedPackage{ImportPath: "brownout/probe", XTestImports: []string{"net/http"}}); len(got) != 1 {
		t.Errorf("a test's import breaks the rule by %q, want one", got)
	}
}

// broken lists p's imports that the rule forbids.
func (r rule) broken(p listedPackage) []string {
	if !matches(r.from, p.ImportPath) {
		return nil
	}
	imports := slices.Clone(p.Imports)
	if r.tests {
		imports = slices.Concat(imports, p.TestImports, p.XTestImports)
	}
	return slices.DeleteFunc(imports, func(path string) bool { return !matches(r.to, path) })
}

func matches(pattern, path string) bool {
	root, below := strings.CutSuffix(pattern, "/...")
	return path == root || below && strings.HasPrefix(path, root+"/")
}

// listPackages lists every package of the module.
func listPackages(t *testing.T) []listedPackage {
	t.Helper()
	c := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "brownout/...")
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %v", c, err)
	}
	var packages []listedPackage
	d := json.NewDecoder(bytes.NewReader(out))
	for {
		var p listedPackage
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}
