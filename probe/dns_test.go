package probe

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/miekg/dns"
)

func TestPackQuestion(t *testing.T) {
	q, err := packQuestion("", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		ticket Ticket
		edns   bool
	}{{makeTicket(1, 2, 0), true}, {makeTicket(1, 2, 1), false}, {makeTicket(1, 2, 2), false}} {
		var m dns.Msg
		if err := m.Unpack(q.message(test.ticket)); err != nil {
			t.Fatal(err)
		}
		want := dns.Question{Name: ".", Qtype: dns.TypeNS, Qclass: dns.ClassINET}
		if len(m.Question) != 1 || m.Question[0] != want || m.RecursionDesired || (m.IsEdns0() != nil) != test.edns {
			t.Errorf("attempt %d asks\n%v", test.ticket.attempt(), &m)
		}
	}
	for _, name := range []string{"a..b", string(make([]byte, 300)), "sixty-four-characters-are-one-more-than-a-label-may-have-in-total.x"} {
		if _, err := packQuestion(name, 0); err == nil {
			t.Errorf("the name %q is taken", name)
		}
	}
}

// Among the questions to one address no two bear the same id, however many they are.
func TestDNSIDsDiffer(t *testing.T) {
	w := newDNSAwaited()
	target := netip.MustParseAddr("198.18.0.1")
	ids := map[uint16]Ticket{}
	for ticket := Ticket(1); ticket <= 1<<12; ticket++ {
		id, err := w.add(target, ticket, 0)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := ids[id]; ok {
			t.Fatalf("tickets %d and %d bear the id %d", other, ticket, id)
		}
		ids[id] = ticket
	}
	if _, err := w.add(target, 1<<13, 0); err == nil {
		t.Error("there is no end of questions to one address")
	}
	for id, ticket := range ids {
		if asked, ok := w.find(target, id); !ok || asked.ticket != ticket {
			t.Fatalf("id %d is of %+v, want ticket %d", id, asked, ticket)
		}
		if _, ok := w.find(target.Next(), id); ok {
			t.Fatalf("id %d is taken for another address's", id)
		}
	}
	for ticket := Ticket(0); ticket <= 1<<12; ticket++ {
		w.remove(ticket)
	}
	if len(w.byTarget) != 0 || len(w.byTicket) != 0 {
		t.Errorf("%d addresses and %d tickets are kept", len(w.byTarget), len(w.byTicket))
	}
}

// The same attempt, sent again after a failure of ours, is one question.
func TestDNSSentAgain(t *testing.T) {
	w := newDNSAwaited()
	target := netip.MustParseAddr("fd00:198:18::1")
	first, _ := w.add(target, 1, 0)
	again, _ := w.add(target, 1, 5)
	if asked, ok := w.find(target, again); first != again || !ok || asked.sent != 5 || len(w.byTarget[target]) != 1 {
		t.Errorf("ids %d and %d; awaited %+v", first, again, w.byTarget[target])
	}
}

// Whatever comes: no panic, and nothing is believed that does not repeat the question, or name an error in its stead.
func FuzzDNSAnswered(f *testing.F) {
	q, err := packQuestion("www.example", dns.TypeA)
	if err != nil {
		f.Fatal(err)
	}
	query := new(dns.Msg)
	if err := query.Unpack(q.plain); err != nil {
		f.Fatal(err)
	}
	for _, m := range []*dns.Msg{
		query, new(dns.Msg).SetReply(query), new(dns.Msg).SetRcode(query, dns.RcodeRefused),
		{MsgHdr: dns.MsgHdr{Response: true, Rcode: dns.RcodeFormatError}},
	} {
		b, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)-1])
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		id, err := q.answered(b)
		if err != nil {
			return
		}
		if id != binary.BigEndian.Uint16(b) {
			t.Fatalf("id %d of % x", id, b)
		}
		var m dns.Msg
		if err := m.Unpack(b[:min(len(b), q.end)]); err != nil && len(m.Question) == 0 && b[5] != 0 {
			t.Fatalf("believed, yet another parser finds no question in % x: %v", b, err)
		}
		if b[2]&0x80 == 0 {
			t.Fatalf("a question is believed to be an answer: % x", b)
		}
	})
}
