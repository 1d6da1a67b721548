package agent

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"brownout/agent/web"
)

func (a *app) healthcheckCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "healthcheck", Short: "Ask the running agent whether it is well", GroupID: groupCare, Args: noArgs,
		Long:    "Asks over the Unix socket beside the store, else at the http.listen of a configuration. Exit code 0: it is. 1: it is not, or nobody answers.",
		Example: "  brownout healthcheck\n  brownout healthcheck --ready",
	}
	f := configFlagsOf(c)
	f.store(c)
	ready := c.Flags().Bool("ready", false, "ask whether it measures, not only whether it lives")
	timeout := c.Flags().Duration("timeout", 5*time.Second, "how long to wait")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := a.loadToAsk(f)
		if err != nil {
			return err
		}
		path := "/-/healthy"
		if *ready {
			path = "/-/ready"
		}
		ctx, cancel := context.WithTimeout(c.Context(), *timeout)
		defer cancel()
		if err := askHealth(ctx, cfg, path); err != nil {
			next := "look at the agent's log; `brownout status` says what is known"
			if cfg.file == "" && cfg.isDefault("store.path") {
				next = "no configuration was found, so the agent of " + cfg.Store.Path + " was asked: name the configuration by --config, or the store by --store"
			}
			return hint(fmt.Errorf("the agent is not well: %w", err), next)
		}
		_, err = fmt.Fprintln(a.stdout, "ok")
		return err
	}
	return c
}

// askHealth asks over the socket and, where nobody answers there, over HTTP.
func askHealth(ctx context.Context, cfg *Config, path string) error {
	err := getHealth(ctx, path, func(ctx context.Context, _, _ string) (net.Conn, error) {
		return web.DialSocket(ctx, cfg.Store.Path)
	})
	// Where no configuration says that ours listens there, it may be another agent, or another program.
	guessed := (cfg.file == "" || cfg.unread || cfg.Origin("store.path") == "--store") && cfg.isDefault("http.listen")
	if err == nil || cfg.HTTP.Listen == "" || guessed || web.Answers(cfg.Store.Path) {
		return err
	}
	return getHealth(ctx, path, func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", reachable(cfg.HTTP.Listen))
	})
}

// reachable is the address by which this machine reaches a listener of its own.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("localhost", port)
	}
	return listen
}

func getHealth(ctx context.Context, path string, dial func(ctx context.Context, network, addr string) (net.Conn, error)) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://brownout"+path, nil)
	if err != nil {
		return fmt.Errorf("ask for %s: %w", path, err)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", path, resp.Status)
	}
	return nil
}
