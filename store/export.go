package store

import (
	"fmt"
	"iter"

	bolt "go.etcd.io/bbolt"

	"brownout/probe"
)

// Export yields the rounds that start from from on and before to, by start, all as of one moment: a round that was under way
// then comes as it was then, however long the reader takes. Where something was judged, rounds that began at the cursor or
// after it are left for the next export, and the last one carries as Until the cursor or, where others come after it, the end
// of what was seen up to it: a replay then judges no further than was judged here, and finds the same. No transaction is held
// between rounds.
func (s *Store) Export(from, to probe.Instant) iter.Seq2[*probe.Round, error] {
	return func(yield func(*probe.Round, error) bool) {
		e := export{yield: yield}
		h, open, err := s.freeze()
		if err == nil && h.rounds > 0 {
			err = e.run(s.records(from, to, false), &h, open, to > h.last.start)
		}
		if err != nil && !e.over {
			yield(nil, fmt.Errorf("export store %s: %w", s.path, err))
		}
	}
}

// export holds one round back, for which one is the last is not known before the end.
type export struct {
	yield func(*probe.Round, error) bool
	held  *probe.Round
	seen  probe.Instant // the end of what was seen
	over  bool          // the reader wants no more
}

func (e *export) run(records iter.Seq2[*record, error], h *head, open map[key]*probe.Round, whole bool) error {
	until := h.cursor
	for rec, err := range records {
		if err != nil {
			return err
		}
		k := keyOf(rec.round)
		if k.compare(h.last) > 0 || until != 0 && k.start >= until {
			break
		}
		if was, ok := open[k]; ok {
			rec = &record{round: was}
		}
		if e.give(); e.over {
			return nil
		}
		e.held = rec.round
		if !whole {
			e.seen = max(e.seen, rec.round.Last()+1)
		}
	}
	if e.held == nil {
		return nil
	}
	if until != 0 {
		last := *e.held
		if last.Until = until; !whole {
			last.Until = min(until, e.seen)
		}
		e.held = &last
	}
	e.give()
	return nil
}

// give yields the round held back.
func (e *export) give() {
	if e.held != nil && !e.over {
		e.over = !e.yield(e.held, nil)
	}
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
