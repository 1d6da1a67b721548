package store

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"

	"brownout/probe"
)

// key names a round: when it started and of which kind it is. Its bytes sort by time, also before 1970.
type key struct {
	start probe.Instant
	kind  probe.Kind
}

const keySize = 9

func (k key) String() string { return fmt.Sprintf("%v of %v", k.kind, k.start) }

func (k key) bytes() []byte { return append(timeKey(k.start), byte(k.kind)) }

func parseKey(b []byte) (key, error) {
	if len(b) != keySize || probe.Kind(b[8]) > probe.Confirm {
		return key{}, errors.New("malformed key")
	}
	return key{parseTime(b), probe.Kind(b[8])}, nil
}

func keyOf(r *probe.Round) key { return key{r.Start, r.Kind} }

func timeKey(t probe.Instant) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(t)^1<<63)
}

func parseTime(b []byte) probe.Instant {
	return probe.Instant(binary.BigEndian.Uint64(b) ^ 1<<63)
}

func (k key) compare(o key) int {
	return cmp.Or(cmp.Compare(k.start, o.start), cmp.Compare(k.kind, o.kind))
}
