package web

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode"
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

func (o *Observation) appendCSV(b []byte) []byte {
	b = append(o.Round.Append(b), ',')
	b = append(append(b, o.Kind.String()...), ',')
	b = append(appendText(b, o.Vantage), ',')
	b = append(strconv.AppendBool(b, o.VantageOK), ',')
	b = append(o.Address.AppendTo(b), ',')
	b = append(append(b, o.Protocol.String()...), ',')
	if o.SentAt != nil {
		b = o.SentAt.Append(b)
	}
	b = append(append(append(b, ','), o.Outcome.String()...), ',')
	if o.RTT != nil {
		b = strconv.AppendUint(b, uint64(*o.RTT), 10)
	}
	b = appendSmall(append(b, ','), o.Type)
	b = appendSmall(append(b, ','), o.Code)
	return append(appendFrom(append(b, ','), o.From), '\n')
}

func appendSmall(b []byte, v *uint8) []byte {
	if v == nil {
		return b
	}
	return strconv.AppendUint(b, uint64(*v), 10)
}

func appendFrom(b []byte, from *netip.Addr) []byte {
	if from == nil {
		return b
	}
	return from.AppendTo(b)
}

// appendText is a field of CSV, quoted where encoding/csv would.
func appendText(b []byte, s string) []byte {
	if s != `\.` && !strings.ContainsAny(s, "\",\r\n") && strings.TrimLeftFunc(s, unicode.IsSpace) == s {
		return append(b, s...)
	}
	b = append(b, '"')
	b = append(b, strings.ReplaceAll(s, `"`, `""`)...)
	return append(b, '"')
}
