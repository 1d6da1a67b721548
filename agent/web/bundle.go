package web

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"path"
	"slices"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// bundleMargin is how much before an outage's start and after its end a bundle tells of, in milliseconds.
const bundleMargin = 2 * 3600_000

// manifest lists what a bundle holds.
type manifest struct {
	Outage string         `json:"outage"`
	Made   probe.Instant  `json:"made"`
	From   probe.Instant  `json:"rounds_from"`
	To     probe.Instant  `json:"rounds_to"`
	Files  []manifestFile `json:"files"`
}

type manifestFile struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// bundle answers with a zip file of all that shows an outage: its rounds, itself, how it was measured, and the sum of each.
func (h *handler) bundle(a *answer) error {
	o, err := h.askedOutage(a)
	if err != nil {
		return err
	}
	a.contentType("application/zip")
	a.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s.zip"`, fileName(o.ID)))
	b := &bundler{zip: zip.NewWriter(a), made: h.opt.Now(), manifest: manifest{Outage: o.ID, Made: probe.InstantOf(h.opt.Now())}}
	if err := h.pack(a, b, o); err != nil {
		return err
	}
	return b.close()
}

// fileName is an ID as a name of a file.
func fileName(id string) string {
	return string(bytes.ReplaceAll([]byte(id), []byte("/"), []byte("_")))
}

func (h *handler) pack(a *answer, b *bundler, o *outage.Outage) error {
	from, to := o.Start.Earliest.Add(-bundleMargin), outage.EndOfTime
	if o.End != nil {
		to = o.End.Latest.Add(bundleMargin)
	}
	b.manifest.From, b.manifest.To = from, min(to, b.manifest.Made)
	rounds := func() iter.Seq2[*probe.Round, error] { return a.rounds(h.src.Rounds(from, to, false)) }
	bits, _, err := h.judgedBy()
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{"README.txt", func(w io.Writer) error { _, err := io.WriteString(w, bundleText(o, h.about().By())); return err }},
		{"outage.json", func(w io.Writer) error { return WriteObject(w, o) }},
		{"configuration.json", func(w io.Writer) error { return h.writeMeasured(w, bits, rounds()) }},
		{"rounds.jsonl", func(w io.Writer) error { return writeLines(w, bits, rounds()) }},
		{"rounds.csv", func(w io.Writer) error { return writeCSV(w, observationColumns, observations(rounds())) }},
	} {
		if err := b.add(f.name, f.write); err != nil {
			return err
		}
	}
	return nil
}

// measured is how the rounds of a bundle came about. They say so themselves: the configuration of whoever shows them may be
// another.
type measured struct {
	Vantages  []string         `json:"vantages"`
	Protocols []probe.Protocol `json:"protocols"`
	Spaces    [][]netip.Prefix `json:"spaces"`
	Timeouts  []int64          `json:"timeouts_ms"`
	Rounds    map[string]int   `json:"rounds"` // by kind
	BlockBits int              `json:"block_bits"`
	Agent     *configured      `json:"agent"` // that wrote the bundle, as it then was; null: none ran
}

// configured is an agent's configuration, as far as it is published.
type configured struct {
	Operator string            `json:"operator"`
	Contact  string            `json:"contact"`
	Vantage  string            `json:"vantage"`
	Settings map[string]string `json:"settings"`
}

func (h *handler) writeMeasured(w io.Writer, bits int, rounds iter.Seq2[*probe.Round, error]) error {
	m := &measured{
		Vantages: []string{}, Protocols: []probe.Protocol{}, Spaces: [][]netip.Prefix{}, Timeouts: []int64{}, Rounds: map[string]int{},
		BlockBits: bits, Agent: h.about().configured(),
	}
	for r, err := range rounds {
		if err != nil {
			return err
		}
		m.add(r)
	}
	return WriteObject(w, m)
}

// add takes in what a round says of itself.
func (m *measured) add(r *probe.Round) {
	m.Rounds[r.Kind.String()]++
	m.Vantages = withNew(m.Vantages, r.Vantage)
	m.Timeouts = withNew(m.Timeouts, r.Timeout.Milliseconds())
	for i := range r.Passes {
		m.Protocols = withNew(m.Protocols, r.Passes[i].Protocol)
	}
	space := r.Space.Prefixes()
	if !slices.ContainsFunc(m.Spaces, func(s []netip.Prefix) bool { return slices.Equal(s, space) }) {
		m.Spaces = append(m.Spaces, space)
	}
}

func withNew[T comparable](list []T, v T) []T {
	if slices.Contains(list, v) {
		return list
	}
	return append(list, v)
}

func (a *About) configured() *configured {
	if a == nil {
		return nil
	}
	c := &configured{Operator: a.Operator, Contact: a.Contact, Vantage: a.Vantage, Settings: map[string]string{}}
	for _, s := range a.Settings {
		c.Settings[s.Name] = s.Value
	}
	return c
}

func bundleText(o *outage.Outage, by string) string {
	return "Evidence of outage " + o.ID + ", as brownout observed it; " + by + ".\n\n" +
		"outage.json         the outage: intervals of its start and end, who was gone, what could be detected\n" +
		"rounds.jsonl        every round from two hours before to two hours after it, in brownout's interchange format\n" +
		"rounds.csv          the same, one observation a row\n" +
		"configuration.json  how it was measured: what the rounds say and, where an agent ran, how it was configured when it wrote this\n" +
		"manifest.json       the SHA-256 of each file\n\n" +
		"Judge it again by: brownout replay rounds.jsonl\n" +
		"What is usual was learned from earlier rounds too: a replay of these alone begins with learning.\n"
}

// bundler writes a zip file and keeps its manifest.
type bundler struct {
	zip      *zip.Writer
	made     time.Time
	manifest manifest
}

func (b *bundler) add(name string, write func(io.Writer) error) error {
	f, err := b.create(name)
	if err != nil {
		return err
	}
	sum := sha256.New()
	count := &counter{}
	if err := write(io.MultiWriter(f, sum, count)); err != nil {
		return err
	}
	b.manifest.Files = append(b.manifest.Files, manifestFile{name, count.n, hex.EncodeToString(sum.Sum(nil))})
	return nil
}

func (b *bundler) create(name string) (io.Writer, error) {
	return b.zip.CreateHeader(&zip.FileHeader{Name: path.Join(fileName(b.manifest.Outage), name), Method: zip.Deflate, Modified: b.made})
}

func (b *bundler) close() error {
	f, err := b.create("manifest.json")
	if err == nil {
		err = WriteObject(f, &b.manifest)
	}
	if err != nil {
		return err
	}
	return b.zip.Close()
}

type counter struct{ n int64 }

func (c *counter) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return len(b), nil
}
