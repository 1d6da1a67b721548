package probe

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/dchest/siphash"
	"github.com/miekg/dns"
)

const (
	dnsHeader  = 12   // bytes: RFC 1035 section 4.1.1
	dnsUDPSize = 1232 // bytes that we take: EDNS0, the 2020 flag day's figure
)

// dnsQuestion is the one question that is asked of every address, packed but for its id.
type dnsQuestion struct {
	edns, plain []byte
	end         int // of the question section, the same in both
}

// packQuestion packs name and kind, "" and 0 meaning ". NS", with recursion not desired, so that nobody asks others for us.
func packQuestion(name string, kind uint16) (q dnsQuestion, err error) {
	if name == "" {
		name = "."
	}
	if kind == 0 {
		kind = dns.TypeNS
	}
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(name), kind)
	m.RecursionDesired, m.Id = false, 0
	if q.plain, err = m.Pack(); err != nil {
		return q, fmt.Errorf("pack the question %q: %w", name, err)
	}
	q.end = len(q.plain)
	m.SetEdns0(dnsUDPSize, false)
	if q.edns, err = m.Pack(); err != nil {
		return q, fmt.Errorf("pack the question %q with EDNS: %w", name, err)
	}
	return q, nil
}

// message is the packed question, whose id is still to be put in. A service that was silent is asked again without EDNS,
// for some hosts drop what they do not know.
func (q *dnsQuestion) message(t Ticket) []byte {
	if t.attempt() > 0 {
		return q.plain
	}
	return q.edns
}

var (
	errNotDNS      = errors.New("not a DNS message")
	errNotAnAnswer = errors.New("no answer to our question")
)

// answered is the id of a message that answers the question. Any response code is an answer. The error says whether the
// message could be read as DNS at all.
func (q *dnsQuestion) answered(b []byte) (id uint16, err error) {
	if len(b) < dnsHeader {
		return 0, errNotDNS
	}
	id = binary.BigEndian.Uint16(b)
	flags, questions := binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint16(b[4:])
	const response, opcode, rcode = 1 << 15, 0xf << 11, 0xf
	if flags&response == 0 || flags&opcode != 0 {
		return id, errNotAnAnswer
	}
	switch {
	case questions == 0 && errorCode(int(flags&rcode)):
		return id, nil
	case questions != 1:
		return id, errNotAnAnswer
	case len(b) < q.end:
		return id, errNotDNS
	case !sameQuestion(b[dnsHeader:q.end], q.plain[dnsHeader:q.end]):
		return id, errNotAnAnswer
	}
	return id, nil
}

// errorCode reports whether a server may answer with a response code and leave the question out: it could not, or would
// not, look at it.
func errorCode(rcode int) bool { return rcode != dns.RcodeSuccess && rcode != dns.RcodeNameError }

// sameQuestion compares two questions, names without regard to case (RFC 4343). The first name of a message is never
// compressed, so that bytes can be compared.
func sameQuestion(a, b []byte) bool {
	name := len(a) - 4 // type and class follow
	for i := range name {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return string(a[name:]) == string(b[name:])
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}

// dnsAwaited holds the questions that are under way, by address and id.
type dnsAwaited struct {
	key      [2]uint64
	byTarget map[netip.Addr][]dnsAsked // oldest first; hardly ever more than a few
	byTicket map[Ticket]netip.Addr
}

type dnsAsked struct {
	ticket Ticket
	sent   time.Duration // after the wire was opened
	id     uint16
}

func newDNSAwaited() dnsAwaited {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, says its documentation
	key := [2]uint64{binary.LittleEndian.Uint64(b[:8]), binary.LittleEndian.Uint64(b[8:])}
	return dnsAwaited{key: key, byTarget: map[netip.Addr][]dnsAsked{}, byTicket: map[Ticket]netip.Addr{}}
}

// add awaits an answer from target, and draws the id that it must bear: no other question to target bears it.
func (w *dnsAwaited) add(target netip.Addr, t Ticket, sent time.Duration) (uint16, error) {
	w.remove(t) // the same attempt may be tried again after a failure of ours
	asked := w.byTarget[target]
	if len(asked) >= 1<<12 {
		return 0, fmt.Errorf("ask %s: %d questions to it are under way", target, len(asked))
	}
	for n := uint16(0); ; n++ {
		id := w.id(target, t, n)
		if !slices.ContainsFunc(asked, func(a dnsAsked) bool { return a.id == id }) {
			w.byTarget[target] = append(asked, dnsAsked{ticket: t, sent: sent, id: id})
			w.byTicket[t] = target
			return id, nil
		}
	}
}

// id is the low bits of SipHash-2-4 (Aumasson & Bernstein, INDOCRYPT 2012) over target, ticket and try.
func (w *dnsAwaited) id(target netip.Addr, t Ticket, n uint16) uint16 {
	var b [26]byte
	a := target.As16()
	copy(b[:16], a[:])
	binary.BigEndian.PutUint64(b[16:], uint64(t))
	binary.BigEndian.PutUint16(b[24:], n)
	return uint16(siphash.Hash(w.key[0], w.key[1], b[:]))
}

// find is the question to target with an id.
func (w *dnsAwaited) find(target netip.Addr, id uint16) (dnsAsked, bool) {
	for _, a := range w.byTarget[target] {
		if a.id == id {
			return a, true
		}
	}
	return dnsAsked{}, false
}

// latest is the question last sent to target.
func (w *dnsAwaited) latest(target netip.Addr) (dnsAsked, bool) {
	asked := w.byTarget[target]
	if len(asked) == 0 {
		return dnsAsked{}, false
	}
	return asked[len(asked)-1], true
}

// remove awaits nothing more for t.
func (w *dnsAwaited) remove(t Ticket) {
	target, ok := w.byTicket[t]
	if !ok {
		return
	}
	delete(w.byTicket, t)
	asked := slices.DeleteFunc(w.byTarget[target], func(a dnsAsked) bool { return a.ticket == t })
	if len(asked) == 0 {
		delete(w.byTarget, target)
		return
	}
	w.byTarget[target] = asked
}
