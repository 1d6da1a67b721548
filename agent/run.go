package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"

	"brownout/agent/notify"
	"brownout/agent/web"
	"brownout/store"
)

// runner is an agent that runs: what outlives a change of its configuration, and what the configuration in effect made.
// Its goroutine alone touches its fields; others ask it by [runner.Reload].
type runner struct {
	read    func() (*Config, error) // the configuration, as it now stands
	warn    func(format string, args ...any)
	store   *store.Store
	log     *slog.Logger
	level   *slog.LevelVar
	live    *liveAgent
	self    *selfObserver
	reloads chan chan error // whoever asks for one, and waits for its outcome
	over    chan struct{}   // closed when nobody reloads any more

	retention atomic.Pointer[store.Retention] // in effect
	answers   atomic.Pointer[http.Handler]    // the API, as of the configuration in effect

	cfg      *Config
	engine   *engine
	close    func() // the engine's sockets
	delivery *notify.Deliverer
	closeTCP func() // ends the server on http.listen; nil: only the socket is served
}

// run is the agent: it measures until ctx ends.
func (a *app) run(ctx context.Context, read func() (*Config, error)) error {
	r, err := a.newRunner(read)
	if err != nil {
		return err
	}
	defer r.stop()
	return r.run(ctx)
}

// newRunner opens all that an agent needs. Whoever calls it stops it.
func (a *app) newRunner(read func() (*Config, error)) (*runner, error) {
	cfg, err := read()
	if err != nil {
		return nil, err
	}
	log, level := newLogger(a.stderr, cfg.Log)
	s, err := openStore(cfg.Store.Path, log)
	if err != nil {
		return nil, err
	}
	self := &selfObserver{}
	r := &runner{
		read: read, warn: a.talk.warn, store: s, log: log, level: level, self: self,
		reloads: make(chan chan error), over: make(chan struct{}), live: newLiveAgent(cfg, s, self),
	}
	if err = r.apply(cfg); err != nil {
		r.stop()
		return nil, err
	}
	return r, nil
}

func (r *runner) run(ctx context.Context) error {
	defer machine.measure()()
	socket, err := web.ListenSocket(r.cfg.Store.Path)
	if err != nil {
		return err
	}
	defer r.serve(web.Listener{Listener: socket}, caring(r.store, r.log, socketOnly(r.self, http.HandlerFunc(r.answer))))()
	defer r.live.feed.Close() // who listens would keep the servers from ending
	defer during(ctx, func(ctx context.Context) { keepSmall(ctx, r.store, r.retention.Load, r.log) })()
	defer onHangup(ctx, func() { _ = r.Reload(ctx) })() // it was logged
	r.log.Info("measuring", "space", briefly(r.cfg.Targets), "addresses", r.cfg.Targets.Len(), "round", r.cfg.Probe.Round.String(), "store", r.cfg.Store.Path)
	return r.loop(ctx)
}

func openStore(path string, log *slog.Logger) (*store.Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the state directory: %w", err)
	}
	o := store.Options{Version: readBuildInfo().Version, Log: log}
	s, aside, err := store.OpenOrReplace(path, o)
	if olderSchema(err) {
		if err := upgradeStore(path, o, log); err != nil {
			return nil, err
		}
		s, aside, err = store.OpenOrReplace(path, o)
	}
	if err == nil && aside != "" {
		log.Error("the store was damaged and has been set aside; measuring goes on with a new one, and learning begins anew", "aside", aside, "store", path)
	}
	return s, err
}

// upgradeStore brings a store of an older version to this one's schema: who upgrades an agent wants it to go on measuring.
func upgradeStore(path string, o store.Options, log *slog.Logger) error {
	tellSystemd("EXTEND_TIMEOUT_USEC=600000000") // it takes seconds; the largest of stores, on the slowest of disks, more
	u, err := store.Upgrade(path, o, nil)
	if err != nil {
		return explainStore(err)
	}
	log.Info("the store was of an older version and has been upgraded", "store", path, "from", u.From, "to", u.To, "as_it_was", u.Backup)
	return nil
}

// loop measures until ctx ends, and takes up a new configuration when asked to.
func (r *runner) loop(ctx context.Context) error {
	defer tellSystemd("STOPPING=1")
	defer close(r.over)
	for {
		measuring, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		e := r.engine
		go func() { ended <- e.run(measuring) }()
		tellSystemd("READY=1\n" + watchdogPeriod(e.Round))
		next, asked, err := r.untilChanged(ended)
		stop()
		if next == nil {
			return err
		}
		err = <-ended // it stored how far it got, for the next to go on from
		if err == nil {
			r.take(next)
		}
		asked <- err
		if err != nil {
			return err
		}
	}
}

// untilChanged waits for the engine's end, or for a configuration that it must be replaced for. What can change while it
// runs, changes.
func (r *runner) untilChanged(ended <-chan error) (next *change, asked chan<- error, err error) {
	for {
		select {
		case err := <-ended:
			return nil, nil, err
		case asked := <-r.reloads:
			tellSystemd(reloading())
			next, err := r.prepare()
			r.self.reloaded(err)
			switch {
			case err != nil:
				r.log.Error("the configuration was not reloaded and stays as it was", "error", err)
			case next.engine != nil:
				return next, asked, nil
			default:
				r.take(next)
			}
			tellSystemd("READY=1")
			asked <- err
		}
	}
}

var errStopping = errors.New("the agent is stopping")

// Reload makes the agent read its configuration again, and waits until it is in effect. An error says why the old one
// stays.
func (r *runner) Reload(ctx context.Context) error {
	done := make(chan error, 1)
	select {
	case r.reloads <- done:
	case <-r.over:
		return errStopping
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-done:
		return err
	case <-r.over:
		return errStopping
	}
}

// during runs f beside, until it ends by itself or the function that is returned ends its context and waits for it.
func during(ctx context.Context, f func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { f(ctx) })
	return func() {
		cancel()
		running.Wait()
	}
}

// onHangup calls f at every SIGHUP, until the function that it returns is called.
func onHangup(ctx context.Context, f func()) (stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	end := during(ctx, func(ctx context.Context) {
		for {
			select {
			case <-signals:
				f()
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		signal.Stop(signals)
		end()
	}
}

// stop ends all.
func (r *runner) stop() {
	if r.delivery != nil {
		r.delivery.Close()
	}
	if r.closeTCP != nil {
		r.closeTCP()
	}
	if r.close != nil {
		r.close()
	}
	if err := r.store.Close(); err != nil {
		r.log.Error("close the store", "error", err)
	}
}

// serve answers on a listener until the function that it returns is called.
func (r *runner) serve(l web.Listener, h http.Handler) (stop func()) {
	return during(context.Background(), func(ctx context.Context) {
		if err := web.Serve(ctx, h, r.log, l); err != nil {
			r.log.Error("questions are answered no more; measuring goes on", "error", err)
		}
	})
}

// answer is the API. What it says of the configuration changes with it, and no connection is lost for that.
func (r *runner) answer(w http.ResponseWriter, req *http.Request) {
	(*r.answers.Load()).ServeHTTP(w, req)
}

func (r *runner) takeHandler() {
	h := machine.lend(web.Handler(r.store, r.live.options(r.Reload, r.log)))
	r.answers.Store(&h)
}
