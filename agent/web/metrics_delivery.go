package web

import "github.com/prometheus/client_golang/prometheus"

// Deliveries is what became of notifications to a channel, since the start.
type Deliveries struct {
	Channel    string
	OK, Failed uint64
}

// deliveryCollector asks for the deliveries whenever it is asked itself; nil collects nothing.
type deliveryCollector func() []Deliveries

var deliveriesDesc = prometheus.NewDesc("brownout_notifications_total", "Deliveries of notifications, by channel and result.",
	[]string{"channel", "result"}, nil)

func (c deliveryCollector) Describe(out chan<- *prometheus.Desc) { out <- deliveriesDesc }

func (c deliveryCollector) Collect(out chan<- prometheus.Metric) {
	if c == nil {
		return
	}
	for _, d := range c() {
		out <- prometheus.MustNewConstMetric(deliveriesDesc, prometheus.CounterValue, float64(d.OK), d.Channel, "ok")
		out <- prometheus.MustNewConstMetric(deliveriesDesc, prometheus.CounterValue, float64(d.Failed), d.Channel, "failed")
	}
}
