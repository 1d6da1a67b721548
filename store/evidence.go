package store

import (
	"encoding/binary"
	"net/netip"

	"brownout/probe"
)

// evidence is what an ICMP error said.
type evidence struct {
	icmpType, code uint8
	from           netip.Addr
}

func evidenceOf(a *probe.Answer) evidence { return evidence{a.Type, a.Code, a.From} }

// evidenceTable is the distinct ones in order of appearance, and the number of each that was added.
type evidenceTable struct {
	list []evidence
	ids  map[evidence]uint64
	all  []uint64
}

func newEvidenceTable() *evidenceTable { return &evidenceTable{ids: map[evidence]uint64{}} }

func (t *evidenceTable) add(e evidence) {
	id, ok := t.ids[e]
	if !ok {
		id = uint64(len(t.list))
		t.ids[e] = id
		t.list = append(t.list, e)
	}
	t.all = append(t.all, id)
}

func (t *evidenceTable) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(t.list)))
	for _, e := range t.list {
		from, _ := e.from.MarshalBinary() // it never fails
		b = append(b, e.icmpType, e.code)
		b = binary.AppendUvarint(b, uint64(len(from)))
		b = append(b, from...)
	}
	return appendColumn(b, t.all, 0)
}

// readEvidence reads a table to which n were added.
func readEvidence(in *reader, n int) (list []evidence, ids []uint64) {
	list = make([]evidence, in.count(min(n, len(in.b)/3)))
	for i := range list {
		e := &list[i]
		e.icmpType, e.code = in.byte(), in.byte()
		if err := e.from.UnmarshalBinary(in.bytes(in.count(len(in.b)))); err != nil {
			in.fail(err)
			return nil, nil
		}
	}
	return list, in.column(n, 0)
}
