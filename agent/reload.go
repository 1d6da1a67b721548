package agent

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"reflect"
	"syscall"
	"time"

	"golang.org/x/net/netutil"

	"brownout/agent/notify"
	"brownout/agent/web"
	"brownout/probe"
	"brownout/store"
)

// change is a configuration that is about to take effect, with all that could fail done.
type change struct {
	cfg      *Config
	engine   *engine // nil: the one that measures goes on
	close    func()
	channels []notify.Channel
	listener net.Listener // nil: the one that is served stays, or there is none
}

// apply takes up the first configuration.
func (r *runner) apply(cfg *Config) error {
	next, err := r.prepareFor(cfg)
	if err != nil {
		return err
	}
	r.take(next)
	return nil
}

// prepare reads the configuration and makes ready what it changes. An error leaves all as it was.
func (r *runner) prepare() (*change, error) {
	cfg, err := r.read()
	if err != nil {
		return nil, err
	}
	switch was, is := &r.cfg.HTTP, &cfg.HTTP; {
	case cfg.Store.Path != r.cfg.Store.Path:
		return nil, fmt.Errorf("store.path was %s and is %s now: that takes a restart", r.cfg.Store.Path, cfg.Store.Path)
	case was.Listen == is.Listen && was.WebConfigFile != is.WebConfigFile:
		return nil, fmt.Errorf("http.web_config_file was %q and is %q now: that takes a restart, or another http.listen; what stands in the file is read again by itself", was.WebConfigFile, is.WebConfigFile)
	case cfg.Space.BlockBits != r.cfg.Space.BlockBits:
		return nil, fmt.Errorf("space.block_bits was %d and is %d now: the store was judged by the former", r.cfg.Space.BlockBits, cfg.Space.BlockBits)
	}
	return r.prepareFor(cfg)
}

func (r *runner) prepareFor(cfg *Config) (*change, error) {
	next := &change{cfg: cfg}
	if err := r.open(next); err != nil {
		next.discard()
		return nil, err
	}
	return next, nil
}

// open makes ready what a change needs.
func (r *runner) open(next *change) error {
	cfg := next.cfg
	state, err := r.store.NoticeState()
	if err != nil {
		return err
	}
	active, err := notify.Active(state)
	if err != nil {
		return err
	}
	if next.channels, err = cfg.channels(active); err != nil {
		return err
	}
	if r.cfg == nil || measuresOtherwise(r.cfg, cfg) {
		if next.engine, next.close, err = cfg.engineOn(&probe.Clock{}, r.store, r.log, seams{}); err != nil {
			return err
		}
	}
	if cfg.HTTP.Listen != "" && (r.cfg == nil || cfg.HTTP.Listen != r.cfg.HTTP.Listen) {
		next.listener, err = r.listen(cfg.HTTP.Listen)
	}
	return err
}

// listen opens a listener. Where our own is in its way, as when 127.0.0.1 becomes 0.0.0.0 on the same port, that one ends first;
// it comes back should that not have helped.
func (r *runner) listen(at string) (net.Listener, error) {
	l, err := listen(at)
	if !errors.Is(err, syscall.EADDRINUSE) || r.closeTCP == nil || !samePort(at, r.cfg.HTTP.Listen) {
		return l, err
	}
	r.closeTCP()
	r.closeTCP = nil
	if l, err = listen(at); err == nil {
		return l, nil
	}
	was, again := listen(r.cfg.HTTP.Listen)
	if again == nil {
		r.serveTCP(was, r.cfg)
	}
	return nil, errors.Join(err, again)
}

func samePort(a, b string) bool {
	_, p, errA := net.SplitHostPort(a)
	_, q, errB := net.SplitHostPort(b)
	return errA == nil && errB == nil && p == q
}

// discard closes what was made ready and is not wanted.
func (c *change) discard() {
	if c.listener != nil {
		c.listener.Close()
	}
	if c.close != nil {
		c.close()
	}
}

// measuresOtherwise reports whether a configuration takes another engine.
func measuresOtherwise(was, is *Config) bool {
	return !was.Targets.Equal(is.Targets) || !reflect.DeepEqual(was.Probe, is.Probe) || !reflect.DeepEqual(was.Vantage, is.Vantage)
}

// maxConnections bounds what strangers can make us hold. Requests beyond wait for one to end; the socket has its own.
const maxConnections = 256

func listen(at string) (net.Listener, error) {
	l, err := net.Listen("tcp", at)
	if err != nil {
		return nil, hint(fmt.Errorf("serve the API: %w", err), `set http.listen to another address, or to "" for the Unix socket alone`)
	}
	return netutil.LimitListener(l, maxConnections), nil
}

// take makes a configuration the one in effect. The engine that measured before has ended, where there is another.
func (r *runner) take(next *change) {
	was := r.cfg
	r.cfg = next.cfg
	for _, w := range next.cfg.Warnings {
		r.warn("%s", w)
	}
	if next.engine != nil {
		if r.close != nil {
			r.close()
		}
		r.engine, r.close = next.engine, next.close
		r.follow()
	}
	r.live.config.Store(r.cfg)
	r.takeHandler()
	r.takeListener(was, next)
	r.takeChannels(next.channels)
	retention := next.cfg.Store.retention()
	r.retention.Store(&retention)
	_ = r.level.UnmarshalText([]byte(next.cfg.Log.Level)) // the configuration was checked
	if was != nil {
		if was.Log.Format != next.cfg.Log.Format {
			r.log.Warn("log.format has changed: that takes a restart", "was", was.Log.Format, "is", next.cfg.Log.Format)
		}
		r.log.Info("reloaded", "measured_anew", next.engine != nil, "space", briefly(next.cfg.Targets), "channels", len(next.channels))
	}
}

// follow makes known what the engine does.
func (r *runner) follow() {
	e := r.engine
	r.live.follow(r.cfg, e)
	r.self.follow(e)
	e.Began = func(late time.Duration) {
		r.live.began(late)
		r.self.began(late)
	}
	e.Sealed = func(round *probe.Round) {
		r.live.sealed(round)
		r.self.sealed(e, round)
	}
}

func (r *runner) takeListener(was *Config, next *change) {
	if r.closeTCP != nil && was.HTTP.Listen != next.cfg.HTTP.Listen {
		r.closeTCP()
		r.closeTCP = nil
	}
	if next.listener != nil {
		r.serveTCP(next.listener, next.cfg)
	}
}

func (r *runner) serveTCP(l net.Listener, cfg *Config) {
	r.closeTCP = r.serve(web.Listener{Listener: l, WebConfig: cfg.HTTP.WebConfigFile}, http.HandlerFunc(r.answer))
	r.log.Info("answering", "http", l.Addr().String())
}

// takeChannels delivers by other channels from now on. What waits, waits in the store.
func (r *runner) takeChannels(channels []notify.Channel) {
	if r.delivery != nil {
		r.delivery.Close()
	}
	d, err := notify.Deliver(r.store, channels, r.log)
	if err != nil {
		if !errors.Is(err, store.ErrClosed) {
			r.log.Error("nobody is told of anything", "error", err)
		}
		return
	}
	r.delivery = d
	r.self.delivery.Store(d)
}
