package outage

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"

	"brownout/probe"
)

// snapshotVersion is the first byte of a snapshot; another version's baseline is learned anew from the rounds.
const snapshotVersion = 5

// ErrSnapshotVersion is the error of a snapshot that another version made.
var ErrSnapshotVersion = errors.New("not a snapshot of this version")

// MarshalBinary is everything the detector must not forget: the baseline, each block's state, the outages under way and
// the cursor. Lines that were not wholly judged are not part of it: they are Put again.
func (d *Detector) MarshalBinary() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte(snapshotVersion)
	if err := gob.NewEncoder(&b).Encode(&d.memory); err != nil {
		return nil, fmt.Errorf("encode detector: %w", err)
	}
	return b.Bytes(), nil
}

// UnmarshalBinary restores a snapshot.
func (d *Detector) UnmarshalBinary(b []byte) error {
	if len(b) == 0 || b[0] != snapshotVersion {
		return fmt.Errorf("decode detector: want version %d: %w", snapshotVersion, ErrSnapshotVersion)
	}
	var m memory
	if err := gob.NewDecoder(bytes.NewReader(b[1:])).Decode(&m); err != nil {
		return fmt.Errorf("decode detector: %w", err)
	}
	space, err := probe.SpaceOf(m.Prefixes...)
	if err != nil {
		return fmt.Errorf("decode detector: %w", err)
	}
	*d = Detector{memory: m, space: space}
	d.index()
	return nil
}
