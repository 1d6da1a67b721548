package web

import (
	"errors"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"brownout/probe"
	"brownout/probe/outage"
)

// Metrics is what Prometheus is told: counters of what the agent did since it started, and the state of every block as of
// the scrape. Series that can be known beforehand are there from the start, at 0.
type Metrics struct {
	registry  *prometheus.Registry
	probes    *prometheus.CounterVec
	rtt       *prometheus.HistogramVec
	outages   *prometheus.CounterVec
	duration  prometheus.Gauge
	completed prometheus.Gauge
	lateness  prometheus.Gauge
	rounds    *prometheus.CounterVec

	mu      sync.Mutex
	counted map[string]outage.State // outages, by their worst kind so far
	size    func() int64            // of the store's file; nil: not known
}

// MetricsConfig says what series there are before anything happened.
type MetricsConfig struct {
	Version    string
	Protocols  []probe.Protocol
	Deliveries func() []Deliveries // of notifications; nil: nobody is notified
	StoreSize  func() int64        // of the store's file, in bytes; nil: not known
	Known      []outage.Outage     // that were declared before the start
}

// rttBuckets are in seconds: of a path across the world and back, and of one by satellite.
var rttBuckets = []float64{.001, .005, .01, .025, .05, .1, .15, .2, .25, .3, .4, .5, .75, 1, 1.5, 2, 3, 5, 10, 30}

// NewMetrics makes the counters.
func NewMetrics(c MetricsConfig) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), counted: map[string]outage.State{}, size: c.StoreSize}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m.probes = counter("brownout_probes_total", "Probes of rounds that are over, by what became of them.", "protocol", "outcome")
	m.outages = counter("brownout_outages_total", "Outages of the space declared since the start, by kind; one that becomes total counts as both.", "kind")
	m.rounds = counter("brownout_rounds_total", "Rounds that are over, by kind.", "kind")
	m.rtt = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "brownout_probe_rtt_seconds",
		Help: "Round-trip times of answered probes.", Buckets: rttBuckets}, []string{"protocol"})
	m.duration = prometheus.NewGauge(prometheus.GaugeOpts{Name: "brownout_round_duration_seconds", Help: "How long the latest full round took, on the agent's clock."})
	m.completed = prometheus.NewGauge(prometheus.GaugeOpts{Name: "brownout_round_last_completed_timestamp_seconds", Help: "When the latest full round ended."})
	m.lateness = prometheus.NewGauge(prometheus.GaugeOpts{Name: "brownout_round_lateness_seconds", Help: "By how much the latest full round began after it was due; the agent looks every second."})
	info := prometheus.NewGauge(prometheus.GaugeOpts{Name: "brownout_build_info", Help: "What runs; always 1.",
		ConstLabels: prometheus.Labels{"version": c.Version, "goversion": runtime.Version()}})
	info.Set(1)
	for i := range c.Known {
		m.counted[c.Known[i].ID] = c.Known[i].Kind
	}
	m.registry.MustRegister(m.probes, m.outages, m.rounds, deliveryCollector(c.Deliveries), m.rtt, m.duration, m.completed, m.lateness, info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.begin(c)
	return m
}

// begin exports at 0 what did not happen yet.
func (m *Metrics) begin(c MetricsConfig) {
	for _, p := range c.Protocols {
		for o := probe.Timeout; o <= probe.Unsent; o++ {
			m.probes.WithLabelValues(p.String(), o.String())
		}
		m.rtt.WithLabelValues(p.String())
	}
	for _, kind := range []outage.State{outage.Partial, outage.Total} {
		m.outages.WithLabelValues(kind.String())
	}
	for _, kind := range []probe.Kind{probe.Full, probe.Core, probe.Confirm} {
		m.rounds.WithLabelValues(kind.String())
	}
}

// Began notes by how much a full round began late.
func (m *Metrics) Began(late time.Duration) { m.lateness.Set(late.Seconds()) }

// Sealed counts a round that is over.
func (m *Metrics) Sealed(r *probe.Round) {
	m.rounds.WithLabelValues(r.Kind.String()).Inc()
	for i := range r.Passes {
		p := &r.Passes[i]
		info, protocol := describePass(p), p.Protocol.String()
		for outcome, n := range map[probe.Outcome]int{
			probe.Reply: info.Reply, probe.Refused: info.Refused, probe.Late: info.Late,
			probe.Unreachable: info.Unreachable, probe.Timeout: info.Timeout, probe.Unsent: info.Unsent,
		} {
			m.probes.WithLabelValues(protocol, outcome.String()).Add(float64(n))
		}
		for k := range p.Answers {
			if a := &p.Answers[k]; a.Outcome.Life() && a.RTT > 0 {
				m.rtt.WithLabelValues(protocol).Observe(float64(a.RTT) / 1e6)
			}
		}
	}
	if r.Kind == probe.Full {
		m.duration.Set(r.End.Time().Sub(r.Start.Time()).Seconds())
		m.completed.Set(float64(r.End) / 1000)
	}
}

// Found counts outages of the space that are new, or have become total.
func (m *Metrics) Found(f outage.Findings) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range f.Outages {
		o := &f.Outages[i]
		if o.Block != outage.SpaceBlock || m.counted[o.ID] >= o.Kind {
			continue
		}
		m.counted[o.ID] = o.Kind
		m.outages.WithLabelValues(o.Kind.String()).Inc()
	}
}

// handler answers scrapes: what is counted here, and the blocks as h knows them.
func (m *Metrics) handler(h *handler) http.Handler {
	all := prometheus.NewRegistry()
	all.MustRegister(&blockCollector{h: h, m: m})
	return promhttp.HandlerFor(prometheus.Gatherers{m.registry, all}, promhttp.HandlerOpts{
		MaxRequestsInFlight: 4, Timeout: answerTime,
	})
}

// blockCollector reads the blocks' states when it is asked.
type blockCollector struct {
	h *handler
	m *Metrics
}

var (
	descState = prometheus.NewDesc("brownout_block_state", "1 for the state that a block is in, else 0.", []string{"block", "state"}, nil)
	descRatio = prometheus.NewDesc("brownout_response_ratio",
		"Addresses that answer, of those expected: of protocol all as judged now, else those of the latest full round that told how the space is and probed by it.",
		[]string{"block", "protocol"}, nil)
	descExpected   = prometheus.NewDesc("brownout_expected_responders", "Addresses that should answer, by what was learned of them.", []string{"block"}, nil)
	descResponders = prometheus.NewDesc("brownout_responders", "Addresses that answer and usually do.", []string{"block"}, nil)
	descVantage    = prometheus.NewDesc("brownout_vantage_up", "1 where our own connectivity is vouched for, else 0.", nil, nil)
	descSize       = prometheus.NewDesc("brownout_store_size_bytes", "Size of the store's file.", nil, nil)
)

// Describe names the metrics.
func (c *blockCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descState, descRatio, descExpected, descResponders, descVantage, descSize} {
		out <- d
	}
}

// Collect reads them. What cannot be read is left out, and logged.
func (c *blockCollector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	if c.m.size != nil {
		gauge(descSize, float64(c.m.size()))
	}
	s, err := c.h.readStatus()
	if err != nil {
		c.h.opt.Log.Error("a scrape could not read the blocks", "error", err)
		return
	}
	if s.Agent != nil {
		gauge(descVantage, truth(s.Agent.Healthy))
	}
	shares, err := c.protocolShares(s)
	if err != nil {
		c.h.opt.Log.Error("a scrape could not read the latest round", "error", err)
	}
	for i := range s.Blocks {
		b := &s.Blocks[i]
		for state := outage.Learning; state <= outage.Unknown; state++ {
			gauge(descState, truth(b.State == state), b.Block, state.String())
		}
		gauge(descRatio, b.ResponseRate.Float(), b.Block, "all")
		gauge(descExpected, b.Expected.Float(), b.Block)
		gauge(descResponders, float64(b.Observed), b.Block)
		for k, share := range shares {
			if k.block == b.Block {
				gauge(descRatio, share, b.Block, k.protocol.String())
			}
		}
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// known reports whether a round tells how the space was: who is missed in another, we may have missed ourselves.
func (c *blockCollector) known(r *probe.Round) (bool, error) {
	all, err := c.h.src.Summaries(outage.SpaceBlock, r.Start, r.Start+1)
	return slices.ContainsFunc(all, func(m outage.Summary) bool { return m.Kind == r.Kind && m.State != outage.Unknown }), err
}

// protocolShares is, of the latest full round that is over and told how the space was, who answered by each protocol, as a share
// of who was expected to answer at all.
func (c *blockCollector) protocolShares(s *Status) (map[tallyKey]float64, error) {
	bits, judged, err := c.h.judgedBy()
	if err != nil {
		return nil, err
	}
	out := map[tallyKey]float64{}
	var unread error
	r, err := firstWhole(c.h.src.Rounds(judged.Add(-3*dayMS), outage.EndOfTime, true), func(r *probe.Round) bool {
		known, err := c.known(r)
		unread = errors.Join(unread, err)
		return known
	})
	if err = errors.Join(err, unread); r == nil || err != nil {
		return out, err
	}
	d := &tallyDay{counts: map[tallyKey][]int32{}}
	d.add(r, bits)
	for k, counts := range d.counts {
		i := slices.IndexFunc(s.Blocks, func(b outage.BlockStatus) bool { return b.Block == k.block })
		if i >= 0 && s.Blocks[i].Expected > 0 {
			out[k] = float64(counts[0]) / s.Blocks[i].Expected.Float()
		}
	}
	return out, nil
}
