package agent

import (
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"brownout/agent/web"
	"brownout/probe"
	"brownout/probe/outage"
)

const (
	// rowsPerGroup bounds the memory that a file takes to be written, some 20 MB: a group is held until it is whole.
	rowsPerGroup = 1 << 17
	rowsAtOnce   = 1024
)

// observationRow is a row of rounds.parquet: the columns of `export --format csv`, with types.
type observationRow struct {
	Round     int64  `parquet:"round,timestamp(millisecond),delta"`
	Kind      string `parquet:"kind,dict"`
	Vantage   string `parquet:"vantage,dict"`
	VantageOK bool   `parquet:"vantage_ok"`
	Address   string `parquet:"address,dict"`
	Protocol  string `parquet:"protocol,dict"`
	SentAt    *int64 `parquet:"sent_at,optional,timestamp(millisecond)"`
	Outcome   string `parquet:"outcome,dict"`
	RTT       uint32 `parquet:"rtt_us,optional"` // 0 is null
	ICMPType  *int32 `parquet:"icmp_type,optional"`
	ICMPCode  *int32 `parquet:"icmp_code,optional"`
	ICMPFrom  string `parquet:"icmp_from,optional,dict"`
}

// outageRow is a row of outages.parquet.
type outageRow struct {
	ID            string   `parquet:"id"`
	Block         string   `parquet:"block,dict"`
	PartOf        *string  `parquet:"part_of,optional"`
	Kind          string   `parquet:"kind,dict"`
	Status        string   `parquet:"status,dict"`
	StartEarliest int64    `parquet:"start_earliest,timestamp(millisecond)"`
	StartAt       int64    `parquet:"start_at,timestamp(millisecond)"`
	StartLatest   int64    `parquet:"start_latest,timestamp(millisecond)"`
	EndEarliest   *int64   `parquet:"end_earliest,optional,timestamp(millisecond)"`
	EndAt         *int64   `parquet:"end_at,optional,timestamp(millisecond)"`
	EndLatest     *int64   `parquet:"end_latest,optional,timestamp(millisecond)"`
	Phases        int32    `parquet:"phases"`
	TotalFor      int64    `parquet:"total_s"`
	PartialFor    int64    `parquet:"partial_s"`
	UnknownFor    int64    `parquet:"unknown_s"`
	Dark          []string `parquet:"dark,list"`
	Expected      float64  `parquet:"expected"`
	Observed      int32    `parquet:"observed"`
	ResponseRate  float64  `parquet:"response_rate"`
	Loss          float64  `parquet:"loss"`
	DeclaredAt    int64    `parquet:"declared_at,timestamp(millisecond)"`
	UnstableFor   int64    `parquet:"unstable_for_s"`
	Conditions    []string `parquet:"conditions,list"`
	Gone          []string `parquet:"gone,list"`
	Protocols     []string `parquet:"protocols,list"`
	Revisions     []string `parquet:"revisions,list"` // what was found, and when: like moved@2026-03-01T07:09:00.000Z
}

// parquetFile writes rows a batch at a time.
type parquetFile[T any] struct {
	w    *parquet.GenericWriter[T]
	rows []T
}

func newParquetFile[T any](to io.Writer) *parquetFile[T] {
	w := parquet.NewGenericWriter[T](to, parquet.Compression(&zstd.Codec{Level: zstd.SpeedFastest}),
		parquet.MaxRowsPerRowGroup(rowsPerGroup), parquet.CreatedBy("brownout", readBuildInfo().Version, ""))
	return &parquetFile[T]{w: w, rows: make([]T, 0, rowsAtOnce)}
}

func (f *parquetFile[T]) add(row T) error {
	f.rows = append(f.rows, row)
	if len(f.rows) < rowsAtOnce {
		return nil
	}
	return f.flush()
}

func (f *parquetFile[T]) flush() error {
	_, err := f.w.Write(f.rows)
	clear(f.rows) // parquet-go may keep their strings, but not the rows
	f.rows = f.rows[:0]
	return err
}

func (f *parquetFile[T]) close() error {
	err := f.flush()
	if err == nil {
		err = f.w.Close()
	}
	if err != nil {
		return fmt.Errorf("write Parquet: %w", err)
	}
	return nil
}

func writeRoundsParquet(to io.Writer, in roundSource) error {
	f := newParquetFile[observationRow](to)
	known := lexicon{names: map[netip.Addr]string{}, protocols: map[probe.Protocol]string{}}
	err := eachObservation(in, func(o *web.Observation) error { return f.add(known.row(o)) })
	if err != nil {
		return err
	}
	return f.close()
}

// lexicon keeps strings that come again and again.
type lexicon struct {
	names     map[netip.Addr]string
	protocols map[probe.Protocol]string
}

func wordOf[K comparable](kept map[K]string, k K, make func() string) string {
	s, ok := kept[k]
	if !ok {
		if len(kept) > 1<<17 {
			clear(kept)
		}
		s = make()
		kept[k] = s
	}
	return s
}

func (w *lexicon) row(o *web.Observation) observationRow {
	row := observationRow{
		Round: int64(o.Round), Kind: o.Kind.String(), Vantage: o.Vantage, VantageOK: o.VantageOK,
		Address:  wordOf(w.names, o.Address, o.Address.String),
		Protocol: wordOf(w.protocols, o.Protocol, o.Protocol.String),
		Outcome:  o.Outcome.String(),
	}
	if o.SentAt != nil {
		at := int64(*o.SentAt)
		row.SentAt = &at
	}
	if o.RTT != nil {
		row.RTT = *o.RTT
	}
	if o.Type != nil && o.Code != nil {
		kind, code := int32(*o.Type), int32(*o.Code)
		row.ICMPType, row.ICMPCode = &kind, &code
	}
	if o.From != nil {
		row.ICMPFrom = o.From.String()
	}
	return row
}

// writeOutagesParquet writes outages one a row. One that lasts is counted up to when it was judged.
func writeOutagesParquet(to io.Writer, list []outage.Outage, judged probe.Instant) error {
	f := newParquetFile[outageRow](to)
	for i := range list {
		if err := f.add(outageRowOf(&list[i], judged)); err != nil {
			return err
		}
	}
	return f.close()
}

func outageRowOf(o *outage.Outage, judged probe.Instant) outageRow {
	seconds := func(kind outage.State) int64 { return int64(o.Seconds(kind, judged)) }
	row := outageRow{
		ID: o.ID, Block: o.Block, PartOf: o.PartOf, Kind: o.Kind.String(), Status: string(o.Status),
		StartEarliest: int64(o.Start.Earliest), StartAt: int64(o.Start.At), StartLatest: int64(o.Start.Latest),
		Phases: int32(len(o.Phases)), TotalFor: seconds(outage.Total), PartialFor: seconds(outage.Partial),
		UnknownFor: seconds(outage.Unknown), Dark: wordsOf(o.Dark), Expected: o.Expected.Float(), Observed: int32(o.Observed),
		ResponseRate: o.ResponseRate.Float(), Loss: o.Loss.Float(), DeclaredAt: int64(o.DeclaredAt), UnstableFor: int64(o.UnstableFor),
		Gone: wordsOf(o.Gone), Protocols: o.Protocols,
	}
	if o.End != nil {
		earliest, at, latest := int64(o.End.Earliest), int64(o.End.At), int64(o.End.Latest)
		row.EndEarliest, row.EndAt, row.EndLatest = &earliest, &at, &latest
	}
	for _, c := range o.Conditions {
		row.Conditions = append(row.Conditions, string(c))
	}
	for _, r := range o.Revisions {
		row.Revisions = append(row.Revisions, strings.Join([]string{string(r.Finding), r.At.String()}, "@"))
	}
	return row
}
