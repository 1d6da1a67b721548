package agent

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/spf13/cobra"

	"brownout/agent/web"
	"brownout/store"
)

func (a *app) serveCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "serve", Short: "Show the page and the API over a store, without measuring", GroupID: groupQuery, Args: noArgs,
		Long: "Serves what `run` does, over a store that no agent runs on: a copy, a backup, or what a demo kept. Nothing is\n" +
			"probed and nothing is written. Now is the moment up to which the store was judged. How it was measured is told by\n" +
			"its rounds, and nothing by the configuration here.",
		Example: "  brownout demo --keep demo.db\n  brownout serve --store demo.db",
	}
	f := configFlagsOf(c)
	f.store(c)
	listen := c.Flags().String("listen", "", "`host:port` to listen on; default http.listen")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := a.load(f)
		if err != nil {
			return err
		}
		if *listen != "" {
			cfg.HTTP.Listen = *listen
		}
		if cfg.HTTP.Listen == "" { // which the system takes for any port on every interface
			return hint(errors.New("serve the page: http.listen is \"\", which is nowhere"), "name an address by --listen, like 127.0.0.1:8413")
		}
		s, err := store.Open(cfg.Store.Path, store.Options{ReadOnly: true, Timeout: storeWait})
		if err != nil {
			return explainStore(err)
		}
		defer s.Close()
		return a.serveStore(c, cfg, s)
	}
	return c
}

func (a *app) serveStore(c *cobra.Command, cfg *Config, s *store.Store) error {
	_, judged, err := s.Detector()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", cfg.HTTP.Listen)
	if err != nil {
		return hint(fmt.Errorf("serve the page: %w", err), "name another address by --listen")
	}
	log, _ := newLogger(a.stderr, cfg.Log)
	now := func() time.Time { return judged.Time() }
	a.talk.say("the page is at http://%s/ until you press Ctrl-C", l.Addr())
	h := web.Handler(s, web.Options{Now: now, Log: log, Authenticated: cfg.authenticated})
	return web.Serve(c.Context(), h, log, web.Listener{Listener: l, WebConfig: cfg.HTTP.WebConfigFile})
}
