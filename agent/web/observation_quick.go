package web

import (
	"strconv"
)

// A year of an address is some 200,000 observations, and an export has thousands a round: they are encoded by hand. The
// tests hold this against the struct's tags and against observationColumns.

func (o *Observation) appendJSON(b []byte) []byte {
	vantage, err := encode(o.Vantage)
	if err != nil {
		vantage = []byte(`""`)
	}
	b = o.Round.Append(append(b, `{"round":"`...))
	b = append(append(b, `","kind":"`...), o.Kind.String()...)
	b = append(append(b, `","vantage":`...), vantage...)
	b = strconv.AppendBool(append(b, `,"vantage_ok":`...), o.VantageOK)
	b = o.Address.AppendTo(append(b, `,"address":"`...))
	b = append(append(b, `","protocol":"`...), o.Protocol.String()...)
	b = append(b, `","sent_at":`...)
	if o.SentAt == nil {
		b = append(b, "null"...)
	} else {
		b = append(o.SentAt.Append(append(b, '"')), '"')
	}
	b = append(append(b, `,"outcome":"`...), o.Outcome.String()...)
	b = append(b, `","rtt_us":`...)
	if o.RTT == nil {
		b = append(b, "null"...)
	} else {
		b = strconv.AppendUint(b, uint64(*o.RTT), 10)
	}
	if o.Type != nil {
		b = strconv.AppendUint(append(b, `,"icmp_type":`...), uint64(*o.Type), 10)
	}
	if o.Code != nil {
		b = strconv.AppendUint(append(b, `,"icmp_code":`...), uint64(*o.Code), 10)
	}
	if o.From != nil {
		b = append(o.From.AppendTo(append(b, `,"icmp_from":"`...)), '"')
	}
	return append(b, '}')
}
