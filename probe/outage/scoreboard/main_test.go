package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestRun plays a short version: two years, in rounds of two hours.
func TestRun(t *testing.T) {
	var out, talk bytes.Buffer
	if code := run([]string{"-years", "1", "-round", "2h"}, &out, &talk); code != 0 || talk.Len() > 0 {
		t.Fatalf("exit %d: %s", code, talk.String())
	}
	t.Log("\n" + out.String())
	for _, want := range []string{"brownout", "Trinocular", "Richter", "false alarms a year", "intervals hold", "At brownout's false alarms: ", "As published: "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table lacks %q", want)
		}
	}
	rows := 0
	for line := range strings.Lines(out.String()) {
		if strings.Contains(line, "brownout is beaten") {
			continue
		}
		if rows++; utf8.RuneCountInString(line) > 161 {
			t.Errorf("wider than 160: %s", line)
		}
	}
	if rows < 80 {
		t.Errorf("%d rows", rows)
	}
}

func TestPrint(t *testing.T) {
	c := column{Name: "brownout", Setting: "as is"}
	half := 0.5
	c.Cells = []value{{Row: "a row", Value: &half, Low: &half, High: &half, Of: 4, Beats: true}, {Row: "nothing"}}
	b := &board{ours: c, rows: []measure{{label: "a row"}, {label: "nothing"}}}
	var asJSON, asCSV bytes.Buffer
	if err := b.print(&asJSON, "json"); err != nil {
		t.Fatal(err)
	}
	var back []column
	if err := json.Unmarshal(asJSON.Bytes(), &back); err != nil || len(back) != 1 || *back[0].Cells[0].Value != half || back[0].Cells[1].Value != nil {
		t.Errorf("%v: %s", err, asJSON.String())
	}
	if err := b.print(&asCSV, "csv"); err != nil || !strings.Contains(asCSV.String(), "brownout,false,as is,0,a row,0.5,0.5,0.5,4,true\n") {
		t.Errorf("%v: %s", err, asCSV.String())
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"-years", "0"}, {"-round", "1s"}, {"-format", "xml"}, {"more"}, {"-seed", "4294967296"}, {"-core", "-1s"}, {"-nonsense"}} {
		var out, talk bytes.Buffer
		if code := run(args, &out, &talk); code != 2 || out.Len() > 0 || !strings.Contains(talk.String(), "hint:") {
			t.Errorf("%q: exit %d, said %q and %q", args, code, out.String(), talk.String())
		}
	}
}
