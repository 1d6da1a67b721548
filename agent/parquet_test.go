package agent

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"brownout/agent/testkit"
)

// runOK runs a command in process and gives what it printed.
func runOK(t *testing.T, args ...string) []byte {
	t.Helper()
	var out, talk bytes.Buffer
	if code := Run(t.Context(), args, strings.NewReader(""), &out, &talk); code != exitOK {
		t.Fatalf("%v: exit code %d: %s", args, code, &talk)
	}
	return out.Bytes()
}

// exportFiles exports a store of the recorded rounds in every format.
func exportFiles(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	path := filepath.Join(dir, "s.db")
	if err := fillStore(path, fixture); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"rounds.parquet": {"--format", "parquet"}, "rounds.csv": {"--format", "csv"},
		"outages.parquet": {"--outages", "--format", "parquet"}, "outages.csv": {"--outages", "--format", "csv"},
	} {
		out := runOK(t, append([]string{"export", "--store", path}, args...)...)
		if err := os.WriteFile(filepath.Join(dir, name), out, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// The rows of Parquet are the rows of CSV.
func TestParquetRows(t *testing.T) {
	dir := exportFiles(t)
	for _, kind := range []string{"rounds", "outages"} {
		rows, err := os.ReadFile(filepath.Join(dir, kind+".csv"))
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(filepath.Join(dir, kind+".parquet"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		file, err := parquet.OpenFile(f, info.Size())
		if err != nil {
			t.Fatal(err)
		}
		if want := int64(bytes.Count(rows, []byte("\n")) - 1); file.NumRows() != want || want == 0 {
			t.Errorf("%s: %d rows, want %d", kind, file.NumRows(), want)
		}
		if kind == "rounds" && info.Size() > int64(len(rows))/20 {
			t.Errorf("%d bytes of Parquet for %d of CSV", info.Size(), len(rows))
		}
	}
}

// The seconds of outages are the same in Parquet as in CSV, those of an outage that lasts included.
func TestParquetSeconds(t *testing.T) {
	dir := exportFiles(t)
	rows, err := parquet.ReadFile[outageRow](filepath.Join(dir, "outages.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(dir, "outages.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil || len(lines) != len(rows)+1 {
		t.Fatalf("%d lines of CSV, %d rows of Parquet, %v", len(lines), len(rows), err)
	}
	ongoing := int64(0)
	for i, r := range rows {
		for name, seconds := range map[string]int64{"total_s": r.TotalFor, "partial_s": r.PartialFor, "unknown_s": r.UnknownFor} {
			if at := slices.Index(lines[0], name); at < 0 || lines[i+1][at] != strconv.FormatInt(seconds, 10) {
				t.Errorf("%s: %s is %d in Parquet, in CSV %q", r.ID, name, seconds, lines[i+1])
			}
		}
		if r.EndAt == nil {
			ongoing += r.TotalFor + r.PartialFor
		} else if lasted := (*r.EndAt - r.StartAt + 500) / 1000; r.TotalFor+r.PartialFor+r.UnknownFor != lasted {
			t.Errorf("%s lasted %d s, and its phases %d, %d and %d", r.ID, lasted, r.TotalFor, r.PartialFor, r.UnknownFor)
		}
	}
	if ongoing < 2*40*60 { // of the space and of a block, 05:40 to 06:36
		t.Errorf("what lasts does so for %d s", ongoing)
	}
}

// duckQuery asks DuckDB, which reads both formats of the same rows, whether it sees the same in them, and the types.
const duckQuery = `
const { DuckDBInstance } = require("@duckdb/node-api");
(async () => {
  const c = await (await DuckDBInstance.create()).connect();
  const rows = async (q) => (await c.runAndReadAll(q)).getRowsJson();
  const types = async (f) => Object.fromEntries((await rows("describe select * from '" + f + "'")).map((r) => [r[0], r[1]]));
  const columns = "round, kind, vantage, vantage_ok, address, protocol, sent_at, outcome, rtt_us";
  const outages = "id, block, part_of, kind, status, start_at, end_at, phases, total_s, partial_s, unknown_s, response_rate, declared_at, unstable_for_s";
  const differ = (list, a, b) =>
    rows("select count(*) from ((select " + list + " from " + a + " except all select " + list + " from " + b + ") union all " +
      "(select " + list + " from " + b + " except all select " + list + " from " + a + "))");
  const csv = (f, as) => "(select * replace (" + as + ") from read_csv('" + f + "', timestampformat='%Y-%m-%dT%H:%M:%S.%gZ'))";
  console.log(JSON.stringify({
    types: await types("rounds.parquet"), outages: await types("outages.parquet"),
    counts: (await rows("select count(*), count(rtt_us), count(sent_at), count(icmp_type), count(distinct address) from 'rounds.parquet'"))[0],
    csv: (await rows("select count(*), count(rtt_us), count(sent_at), count(icmp_type), count(distinct address) from 'rounds.csv'"))[0],
    differ: await differ(columns, "(select * replace (round::timestamp as round, sent_at::timestamp as sent_at) from 'rounds.parquet')",
      csv("rounds.csv", "round::timestamp as round, sent_at::timestamp as sent_at")),
    differOutages: await differ(outages,
      "(select * replace (start_at::timestamp as start_at, end_at::timestamp as end_at, declared_at::timestamp as declared_at) from 'outages.parquet')",
      csv("outages.csv", "start_at::timestamp as start_at, end_at::timestamp as end_at, declared_at::timestamp as declared_at")),
  }));
})().catch((e) => { console.error(e); process.exit(1); });
`

// duckdb installs DuckDB's package in a folder.
func duckdb(t *testing.T, dir string) {
	t.Helper()
	npm := testkit.Program(t, "npm")
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	ping := []string{"ping", "--fetch-timeout=30000", "--fetch-retries=4", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=10000"} // milliseconds
	if err := exec.CommandContext(ctx, npm, ping...).Run(); err != nil {
		t.Skip("npm's registry is out of reach")
	}
	c := exec.CommandContext(ctx, npm, "install", "--no-audit", "--no-fund", "--prefix", dir, "@duckdb/node-api@1.5.6-r.1")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v: %s", c, err, out)
	}
}

// DuckDB reads the Parquet files with the right types, and sees in them what it sees in the CSV.
func TestDuckDB(t *testing.T) {
	if testing.Short() {
		t.Skip("it installs a package")
	}
	dir := exportFiles(t)
	duckdb(t, dir)
	c := exec.CommandContext(t.Context(), "node", "-e", duckQuery)
	c.Dir = dir
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderrOf(err))
	}
	var got struct {
		Types, Outages map[string]string
		Counts, CSV    []string
		Differ         [][]string
		DifferOutages  [][]string
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for column, want := range map[string]string{
		"round": "TIMESTAMP WITH TIME ZONE", "kind": "VARCHAR", "vantage_ok": "BOOLEAN", "address": "VARCHAR", "protocol": "VARCHAR",
		"sent_at": "TIMESTAMP WITH TIME ZONE", "outcome": "VARCHAR", "rtt_us": "UINTEGER", "icmp_type": "INTEGER", "icmp_code": "INTEGER",
	} {
		if got.Types[column] != want {
			t.Errorf("column %s is %s, want %s", column, got.Types[column], want)
		}
	}
	for column, want := range map[string]string{
		"start_at": "TIMESTAMP WITH TIME ZONE", "response_rate": "DOUBLE", "observed": "INTEGER", "dark": "VARCHAR[]", "total_s": "BIGINT", "end_at": "TIMESTAMP WITH TIME ZONE",
	} {
		if got.Outages[column] != want {
			t.Errorf("column %s of outages is %s, want %s", column, got.Outages[column], want)
		}
	}
	if strings.Join(got.Counts, " ") != strings.Join(got.CSV, " ") || got.Counts[0] != "10368" {
		t.Errorf("counts %v in Parquet, %v in CSV", got.Counts, got.CSV)
	}
	if got.Differ[0][0] != "0" || got.DifferOutages[0][0] != "0" {
		t.Errorf("%v observations and %v outages differ between Parquet and CSV", got.Differ, got.DifferOutages)
	}
}

func stderrOf(err error) []byte {
	if exit, ok := err.(*exec.ExitError); ok {
		return exit.Stderr
	}
	return nil
}
