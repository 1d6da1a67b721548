package store

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"brownout/probe"
	"brownout/probe/outage"
)

var updateGolden = flag.Bool("update-golden", false, "write the golden files of the present encoding, which must be new ones")

// Records as version 1 wrote them are read for ever, and mean what they meant. A golden file is never changed; a new
// encoding gets a new one.
func TestGoldenRecords(t *testing.T) {
	records, lines := filepath.Join("testdata", "records.v1.hex"), filepath.Join("testdata", "records.v1.jsonl")
	if *updateGolden {
		writeGolden(t, records, lines)
	}
	want, err := os.ReadFile(lines)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	w := probe.NewRoundWriter(&got)
	f := newFrames()
	in, err := os.Open(records)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	for scan := bufio.NewScanner(in); scan.Scan(); {
		var kind, k, v string
		if _, err := fmt.Sscan(scan.Text(), &kind, &k, &v); err != nil {
			t.Fatal(err)
		}
		if err := readGolden(f, w, &got, kind, k, v); err != nil {
			t.Fatalf("%s %s: %v", kind, k, err)
		}
	}
	if got.String() != string(want) {
		t.Errorf("reads as\n%swant\n%s", &got, want)
	}
}

// readGolden reads one record, and writes it again as it stands.
func readGolden(f *frames, w *probe.RoundWriter, out *bytes.Buffer, bucket, k, v string) error {
	rawKey, err := hex.DecodeString(k)
	if err != nil {
		return err
	}
	raw, err := hex.DecodeString(v)
	if err != nil {
		return err
	}
	value, err := unseal([]byte(bucket), rawKey, raw)
	if err != nil {
		return err
	}
	switch bucket {
	case "spaces":
		space, err := decodeSpace(value)
		f.spaceID(space)
		return err
	case "frames":
		fr, err := decodeFrame(value, len(f.spaces))
		f.addFrame(&fr)
		return err
	case "summaries":
		c, err := decodeChunk(value, "space", parseTime(rawKey[4:]))
		if err == nil {
			fmt.Fprintf(out, "%v\n", c.list)
		}
		return err
	}
	id, err := parseKey(rawKey)
	if err != nil {
		return err
	}
	rec, err := decodeRecord(value, id, f)
	if err != nil {
		return err
	}
	return w.Write(rec.round)
}

// writeGolden writes rounds with every field in use.
func writeGolden(t *testing.T, records, lines string) {
	s := openTest(t)
	odd := somePopulation(t, 2)
	odd.Seeded, odd.Seed, odd.VantageOK, odd.Unverified, odd.Slack, odd.Until = false, 0, false, true, 7, odd.End
	odd.VantageBad = []probe.Window{{From: 5, To: 90}, {From: 100, To: 200}}
	odd.Passes[1].Unsent = []int32{0, 1, 2, 900, 1023}
	odd.Passes[2].Targets, _ = probe.ParseSpace([]string{"198.18.0.0/29"}, nil)
	odd.Passes[2].Answers, odd.Passes[2].SilentMS = nil, []int32{1, 2, 3, probe.UnknownOffset, 5, 6, 7, 80_000}
	a := odd.Passes[0].Answers
	a[0].Outcome, a[0].First, a[0].Offset = probe.Late, 12, probe.UnknownOffset
	a[1].Outcome, a[1].Type, a[1].Code, a[1].From = probe.Unreachable, 3, 13, odd.Space.Addr(1)
	core := somePopulation(t, 3)
	core.Kind, core.Start = probe.Core, core.Start.Add(60_000)
	mustCommit(t, s, Commit{Sealed: []*probe.Round{somePopulation(t, 1), odd}, Rounds: []*probe.Round{core},
		Findings: outage.Findings{Summaries: slices.Concat(someSummaries(odd, 1)[:1], someSummaries(core, 2)[:1])}})
	var hexed strings.Builder
	dump(t, s, &hexed)
	var text bytes.Buffer
	w := probe.NewRoundWriter(&text)
	for _, r := range collect(t, s, 0, 1<<60, false) {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	all, err := s.Summaries(outage.SpaceBlock, 0, 1<<60)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&text, "%v\n", all)
	for name, content := range map[string]string{records: hexed.String(), lines: text.String()} {
		if _, err := os.Stat(name); err == nil {
			t.Fatalf("%s exists: golden files are never changed", name)
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// dump writes the records that have encodings of their own.
func dump(t *testing.T, s *Store, out *strings.Builder) {
	t.Helper()
	err := s.view(func(tx *bolt.Tx) error {
		for _, bucket := range [][]byte{bucketSpaces, bucketFrames, bucketRounds, bucketSummaries} {
			c := tx.Bucket(bucket).Cursor()
			for k, v := c.First(); k != nil && (string(bucket) != "summaries" || k[3] == 0); k, v = c.Next() {
				fmt.Fprintf(out, "%s %x %x\n", bucket, k, v)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
