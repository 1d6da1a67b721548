package web

import (
	"cmp"
	"iter"
	"slices"

	"brownout/probe"
	"brownout/probe/outage"
)

// Series is a block's figures over time in columns, ready to be plotted. Where more rounds lie in the time than points were
// asked for, each point stands for a step of time, and a step without rounds is a hole.
type Series struct {
	Block string        `json:"block"`
	Since probe.Instant `json:"since"`
	Until probe.Instant `json:"until"`
	Step  int64         `json:"step_ms"` // 0: a point is a round
	Time  []int64       `json:"time_ms"` // unix time of a round's or step's start

	Rate       []*outage.Decimal `json:"rate"`     // response rate, the mean of a step; null: unknown, which is not 0
	Lowest     []*outage.Decimal `json:"lowest"`   // of a step's rounds
	Expected   []*outage.Decimal `json:"expected"` // addresses
	Observed   []*outage.Decimal `json:"observed"`
	Responsive []*outage.Decimal `json:"responsive"` // those without a baseline included

	RTT       SeriesRTT        `json:"rtt_us"`
	Protocols []SeriesProtocol `json:"protocols"`
	States    []outage.Stretch `json:"states"`
	Targets   int              `json:"targets"`
	Power     *outage.Power    `json:"power"` // what can be detected now; null: not known
	rows      []outage.Summary
}

// SeriesRTT is the percentiles of round-trip times in microseconds; null: nothing answered.
type SeriesRTT struct {
	P10 []*uint32 `json:"p10"`
	P25 []*uint32 `json:"p25"`
	P50 []*uint32 `json:"p50"`
	P75 []*uint32 `json:"p75"`
	P90 []*uint32 `json:"p90"`
}

// SeriesProtocol is the addresses that answered by one protocol.
type SeriesProtocol struct {
	Protocol  probe.Protocol    `json:"protocol"`
	Answering []*outage.Decimal `json:"answering"`
}

const (
	defaultPoints = 1500
	mostPoints    = 10_000
)

// seriesOrder is what a series is asked about.
type seriesOrder struct {
	block    string
	from, to probe.Instant
	points   int
}

func (h *handler) series(a *answer) error {
	format := a.p.format()
	o := seriesOrder{block: cmp.Or(a.p.get("block"), outage.SpaceBlock)}
	o.points = a.p.number("points", defaultPoints, 2, mostPoints)
	o.from, o.to = a.p.spanOr(probe.InstantOf(h.opt.Now()).Add(-dayMS), probe.InstantOf(h.opt.Now()))
	if err := a.p.done(); err != nil {
		return err
	}
	s, err := h.readSeries(a, o)
	if err != nil {
		return err
	}
	if format == "csv" {
		return list(a, format, seriesColumns(s), each(s.indices()))
	}
	a.contentType("application/json")
	line, err := encode(s)
	if err != nil {
		return err
	}
	_, err = a.Write(append(line, '\n'))
	return err
}

// readSeries works out a series.
func (h *handler) readSeries(a *answer, o seriesOrder) (*Series, error) {
	said, err := h.said(o.block)
	if err != nil {
		return nil, err
	}
	until, err := h.observed()
	if err != nil {
		return nil, err
	}
	rows, err := h.src.Summaries(o.block, o.from, o.to)
	if err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, func(m outage.Summary) bool { return m.Kind != probe.Full })
	s := &Series{Block: o.block, Since: o.from, Until: o.to, rows: rows, Protocols: []SeriesProtocol{}}
	s.States = cut(outage.Timeline(said, until), o.from, o.to)
	steps := stepsOf(rows, o)
	s.Step = steps.size
	s.fill(steps)
	if err := h.tallyInto(a, s, o, steps); err != nil {
		return nil, err
	}
	s.Power, err = h.power(o.block)
	return s, err
}

// power is what can be detected in a block now.
func (h *handler) power(block string) (*outage.Power, error) {
	learned, err := h.src.Learned(0)
	if err != nil || learned.Detector == nil {
		return nil, err
	}
	blocks := learned.Detector.BlocksAt(probe.InstantOf(h.opt.Now()))
	for i := range blocks {
		if b := &blocks[i]; b.Block == block && b.State != outage.Learning && b.Power.TotalAfter > 0 {
			return &b.Power, nil
		}
	}
	return nil, nil
}

// steps says which point each round is of.
type steps struct {
	size  int64 // 0: a point a round, and one for each hole
	from  probe.Instant
	times []probe.Instant // of the points
	hole  []bool
}

// stepsOf lays out the points.
func stepsOf(rows []outage.Summary, o seriesOrder) *steps {
	st := &steps{}
	if len(rows) == 0 {
		return st
	}
	if len(rows) <= o.points {
		gap := holeFrom(rows)
		for i := range rows {
			if i > 0 && int64(rows[i].Start-rows[i-1].Start) > gap {
				st.put(rows[i-1].End.Add(1), true)
			}
			st.put(rows[i].Start, false)
		}
		return st
	}
	first, last := rows[0].Start, rows[len(rows)-1].Start
	st.size = niceStep((int64(last-first) + int64(o.points)) / int64(o.points))
	st.from = first - first%probe.Instant(st.size)
	for t := st.from; t <= last; t = t.Add(st.size) {
		st.put(t, false)
	}
	return st
}

func (st *steps) put(t probe.Instant, hole bool) {
	st.times = append(st.times, t)
	st.hole = append(st.hole, hole)
}

// at is the point of a round, from the one of the round before it on.
func (st *steps) at(t probe.Instant, last int) int {
	if st.size > 0 {
		return int(int64(t-st.from) / st.size)
	}
	for last < len(st.times) && (st.times[last] < t || st.hole[last]) {
		last++
	}
	return last
}

// holeFrom is the time from start to start beyond which there is a gap between rounds: 2.5 times the median.
func holeFrom(rows []outage.Summary) int64 {
	var gaps []int64
	for i := 1; i < len(rows); i++ {
		gaps = append(gaps, int64(rows[i].Start-rows[i-1].Start))
	}
	if len(gaps) == 0 {
		return 0
	}
	slices.Sort(gaps)
	return gaps[len(gaps)/2] * 5 / 2
}

// niceStep is the next step that people count in.
func niceStep(ms int64) int64 {
	const minute = 60_000
	for _, m := range []int64{1, 5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720} {
		if ms <= m*minute {
			return m * minute
		}
	}
	return (ms + dayMS - 1) / dayMS * dayMS
}

// mean is one that is being worked out.
type mean struct{ sum, n int64 }

func (m *mean) add(v int64) { m.sum, m.n = m.sum+v, m.n+1 }

func (m *mean) value() *outage.Decimal {
	if m.n == 0 {
		return nil
	}
	v := outage.Decimal((m.sum + m.n/2) / m.n)
	return &v
}

// point is one that is being worked out.
type point struct {
	rate, expected, observed, responsive mean
	lowest                               *outage.Decimal
	rtt                                  [5]mean
}

func (p *point) add(m *outage.Summary) {
	if m.RTT[2] > 0 {
		for i := range p.rtt {
			p.rtt[i].add(int64(m.RTT[i]))
		}
	}
	if m.State == outage.Unknown {
		return
	}
	p.responsive.add(int64(m.Responsive) * 10_000)
	if m.Expected == 0 {
		return
	}
	rate := outage.Ratio(int64(m.Observed)*10_000, int64(m.Expected))
	p.rate.add(int64(rate))
	p.expected.add(int64(m.Expected))
	p.observed.add(int64(m.Observed) * 10_000)
	if p.lowest == nil || rate < *p.lowest {
		p.lowest = &rate
	}
}

// fill works out the columns of the summaries.
func (s *Series) fill(st *steps) {
	points := make([]point, len(st.times))
	at := 0
	for i := range s.rows {
		at = st.at(s.rows[i].Start, at)
		points[at].add(&s.rows[i])
		s.Targets = max(s.Targets, s.rows[i].Targets)
	}
	s.Time = make([]int64, len(points))
	for i := range points {
		s.Time[i] = int64(st.times[i])
	}
	column := func(of func(*point) *outage.Decimal) []*outage.Decimal {
		out := make([]*outage.Decimal, len(points))
		for i := range points {
			out[i] = of(&points[i])
		}
		return out
	}
	s.Rate = column(func(p *point) *outage.Decimal { return p.rate.value() })
	s.Lowest = column(func(p *point) *outage.Decimal { return p.lowest })
	s.Expected = column(func(p *point) *outage.Decimal { return p.expected.value() })
	s.Observed = column(func(p *point) *outage.Decimal { return p.observed.value() })
	s.Responsive = column(func(p *point) *outage.Decimal { return p.responsive.value() })
	for i, to := range []*[]*uint32{&s.RTT.P10, &s.RTT.P25, &s.RTT.P50, &s.RTT.P75, &s.RTT.P90} {
		*to = make([]*uint32, len(points))
		for k := range points {
			if v := points[k].rtt[i].value(); v != nil {
				us := uint32(*v)
				(*to)[k] = &us
			}
		}
	}
}

// tallyInto adds the protocols' columns. What a round without known state counted is left out there too.
func (h *handler) tallyInto(a *answer, s *Series, o seriesOrder, st *steps) error {
	if len(s.rows) == 0 {
		return nil
	}
	bits, judged, err := h.judgedBy()
	if err != nil {
		return err
	}
	sums := map[probe.Protocol][]mean{}
	read := func(from, to probe.Instant) iter.Seq2[*probe.Round, error] {
		return a.rounds(h.src.Rounds(from, to, false))
	}
	at, row := 0, 0
	for day := dayOf(s.rows[0].Start); day <= s.rows[len(s.rows)-1].Start; day = day.Add(dayMS) {
		d, err := h.tally.day(day, judged, bits, read)
		if err != nil {
			return err
		}
		columns := d.of(o.block, sums, len(st.times))
		for i, start := range d.starts {
			for row < len(s.rows) && s.rows[row].Start < start {
				row++
			}
			if row == len(s.rows) || s.rows[row].Start != start || s.rows[row].State == outage.Unknown {
				continue
			}
			at = st.at(start, at)
			for _, c := range columns {
				if n := c.counts[i]; n != notAsked {
					c.sums[at].add(int64(n) * 10_000)
				}
			}
		}
	}
	s.protocols(sums)
	return nil
}

// tallyColumn is a protocol's counts in a day, and where they are summed up.
type tallyColumn struct {
	counts []int32
	sums   []mean
}

// of is what was counted of a block, a column a protocol.
func (d *tallyDay) of(block string, sums map[probe.Protocol][]mean, points int) (columns []tallyColumn) {
	for k, counts := range d.counts {
		if k.block != block {
			continue
		}
		if sums[k.protocol] == nil {
			sums[k.protocol] = make([]mean, points)
		}
		columns = append(columns, tallyColumn{counts, sums[k.protocol]})
	}
	return columns
}

func (s *Series) protocols(sums map[probe.Protocol][]mean) {
	for p, means := range sums {
		one := SeriesProtocol{Protocol: p, Answering: make([]*outage.Decimal, len(means))}
		for i := range means {
			one.Answering[i] = means[i].value()
		}
		s.Protocols = append(s.Protocols, one)
	}
	slices.SortFunc(s.Protocols, func(a, b SeriesProtocol) int { return a.Protocol.Compare(b.Protocol) })
}

func (s *Series) indices() []int {
	out := make([]int, len(s.Time))
	for i := range out {
		out[i] = i
	}
	return out
}

// seriesColumns are a series as a table: one point a row.
func seriesColumns(s *Series) []column[int] {
	cols := []column[int]{
		value("time", func(i *int) probe.Instant { return probe.Instant(s.Time[*i]) }),
		decimals("rate", s.Rate),
		decimals("lowest", s.Lowest),
		decimals("expected", s.Expected),
		decimals("observed", s.Observed),
		decimals("responsive", s.Responsive),
	}
	for k, values := range [][]*uint32{s.RTT.P10, s.RTT.P25, s.RTT.P50, s.RTT.P75, s.RTT.P90} {
		cols = append(cols, maybe(rttNames[k], func(i *int) *uint32 { return values[*i] }, addUint))
	}
	for _, p := range s.Protocols {
		cols = append(cols, decimals("answering_"+p.Protocol.String(), p.Answering))
	}
	return cols
}

func decimals(name string, values []*outage.Decimal) column[int] {
	return maybe(name, func(i *int) *outage.Decimal { return values[*i] }, outage.Decimal.Append)
}
