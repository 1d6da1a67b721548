package lab

import (
	"encoding/binary"

	"github.com/miekg/dns"
)

// dnsReply answers a question with a response code and nothing else; none where there is no one question.
func (r *responder) dnsReply(d datagram, rcode uint8, l lie) datagram {
	in := d.payload()
	var q, a dns.Msg
	if q.Unpack(in[udpLen:]) != nil || q.Response || len(q.Question) != 1 {
		return nil
	}
	a.SetRcode(&q, int(rcode))
	a.Id ^= l.id
	if l.proof != 0 {
		a.Question = []dns.Question{{Name: "forged.invalid.", Qtype: dns.TypeA, Qclass: dns.ClassINET}}
	}
	if opt := q.IsEdns0(); opt != nil {
		a.SetEdns0(1232, false)
	}
	text, err := a.Pack()
	if err != nil {
		return nil
	}
	p := newDatagram(r.scratch[:], l.from, d.source(), protocolUDP, udpLen+len(text))
	b := p.payload()
	copy(b[0:2], in[2:4])
	copy(b[2:4], in[0:2])
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)))
	copy(b[udpLen:], text)
	p.seal(6)
	return p
}
