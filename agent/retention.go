package agent

import (
	"context"
	"log/slog"
	"time"

	"brownout/probe"
	"brownout/store"
)

const (
	longestKept = 36_500    // days: a century
	pruneEvery  = time.Hour // rounds come every few minutes, and are kept for days at least
)

// retention is what the configuration says.
func (c *StoreConfig) retention() store.Retention {
	days := func(n int) time.Duration { return time.Duration(n) * 24 * time.Hour }
	return store.Retention{
		Rounds: days(c.KeepRoundsDays), Summaries: days(c.KeepSummariesDays), Hours: days(c.KeepHoursDays), Outages: days(c.KeepOutagesDays),
		MaxSize: int64(c.MaxSizeMB) << 20,
	}
}

// keepSmall drops what is older than the retention in effect permits, at once and then every hour, until ctx ends.
func keepSmall(ctx context.Context, s *store.Store, retention func() *store.Retention, log *slog.Logger) {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		if r := retention(); *r != (store.Retention{}) {
			dropOld(s, *r, log)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

func dropOld(s *store.Store, r store.Retention, log *slog.Logger) {
	p, err := s.Prune(probe.InstantOf(time.Now()), r, false)
	if err != nil {
		log.Error("old results are not dropped; measuring goes on", "error", err)
	} else if p != (store.Pruned{}) {
		log.Info("dropped old results", "rounds", p.Rounds, "summaries", p.Summaries, "hours", p.Hours, "outages", p.Outages, "freed", p.Freed)
	}
}
