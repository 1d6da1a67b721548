package store

import (
	"fmt"
	"math"

	bolt "go.etcd.io/bbolt"

	"brownout/probe"
)

// Export hands every round to f in order of time, all as of one moment: a round that was under way then is exported as it
// was then, however long f takes. Unless the cursor lay past everything that the rounds can bring, the last one carries it
// as Until, so that a replay judges no further than was judged here. It holds no transaction while f runs.
func (s *Store) Export(f func(*probe.Round) error) error {
	h, open, err := s.freeze()
	if err != nil {
		return fmt.Errorf("export store %s: %w", s.path, err)
	}
	if h.rounds == 0 {
		return nil
	}
	until := h.cursor
	seen := probe.Instant(math.MinInt64)
	var held *probe.Round // one behind, for the last is not known before the end
	for rec, err := range s.records(h.first.start, h.last.start.Add(1), false) {
		if err != nil {
			return fmt.Errorf("export store %s: %w", s.path, err)
		}
		k := keyOf(rec.round)
		if k.compare(h.last) > 0 {
			break
		}
		if was, ok := open[k]; ok {
			rec = &record{round: was}
			seen = math.MaxInt64 // more may come
		}
		seen = max(seen, lastSeen(rec.round))
		if held != nil {
			if err := f(held); err != nil {
				return err
			}
		}
		held = rec.round
	}
	if held == nil || keyOf(held) != h.last {
		return fmt.Errorf("export store %s: %w", s.path, damagedRecord(bucketRounds, h.last.bytes(), errLost))
	}
	if until != 0 && until <= seen {
		held.Until = until
	}
	return f(held)
}

// freeze reads what may still change: the head and the rounds under way.
func (s *Store) freeze() (h head, open map[key]*probe.Round, err error) {
	open = map[key]*probe.Round{}
	err = s.view(func(tx *bolt.Tx) (err error) {
		clear(open)
		if h, err = readHead(tx); err != nil {
			return err
		}
		for _, k := range h.open {
			rec, err := s.lookup(tx, k)
			if err == nil && rec == nil {
				err = damagedRecord(bucketRounds, k.bytes(), errMissing)
			}
			if err != nil {
				return err
			}
			open[k] = rec.round
		}
		return nil
	})
	return h, open, err
}

// lastSeen is the latest moment at which an outcome that r holds was seen.
func lastSeen(r *probe.Round) probe.Instant {
	seen := r.End.Add(r.TimeoutMS())
	for i := range r.Passes {
		for k := range r.Passes[i].Answers {
			a := &r.Passes[i].Answers[k]
			sent := r.End
			if a.Offset != probe.UnknownOffset {
				sent = r.Start.Add(int64(a.Offset))
			}
			seen = max(seen, sent.Add(r.RTTMS(a)))
		}
	}
	return seen.Add(r.Slack)
}
