package agent

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"brownout/agent/web"
	"brownout/store"
)

// client asks the API: the running agent over its socket, else the same handler in process on the store's file.
type client struct {
	live  *http.Client // nil: no agent answers
	base  string       // of the live agent's URLs
	local http.Handler
	store *store.Store
	fail  error // why the local handler's last answer broke off
}

// socketBase stands before the paths of what is asked over the socket, or in process.
const socketBase = "http://brownout"

// dialURL asks an agent elsewhere. A password stands in the URL.
func dialURL(text string) (*client, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" {
		return nil, fmt.Errorf("%q is no URL of an agent, like http://probe.example:8413", text)
	}
	return &client{live: &http.Client{}, base: strings.TrimSuffix(u.String(), "/")}, nil
}

// storeWait is how long a store may be locked by whoever is just letting go of it.
const storeWait = time.Second

// dial finds who answers for a store.
func dial(ctx context.Context, path string) (*client, error) {
	dialSocket := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return web.DialSocket(ctx, path)
	}
	conn, err := dialSocket(ctx, "", "")
	if err == nil {
		conn.Close()
		return &client{base: socketBase, live: &http.Client{Transport: &http.Transport{DialContext: dialSocket, DisableKeepAlives: true}}}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.EINVAL) {
		return nil, explainStore(fmt.Errorf("ask the agent: %w", err))
	}
	s, err := store.Open(path, store.Options{ReadOnly: true, Timeout: storeWait})
	if err != nil {
		return nil, explainStore(err)
	}
	c := &client{store: s}
	c.local = web.Handler(s, web.Options{Fail: func(err error) { c.fail = err }})
	return c, nil
}

// explainStore adds the next step to an error of opening a store.
func explainStore(err error) error {
	var damaged *store.DamagedError
	switch {
	case (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)) && os.Geteuid() != 0 && serviceInstalled():
		return hint(err, "what the system's service measures, root may ask: `sudo brownout status`; or name a store by --store")
	case errors.Is(err, fs.ErrPermission):
		return hint(err, "run as the file's owner, or name another store by --store")
	case errors.Is(err, store.ErrForeign):
		return hint(err, "name the store by --store")
	case errors.Is(err, fs.ErrNotExist):
		return hint(err, "start `brownout run`, or name the store by --store")
	case errors.Is(err, store.ErrLocked):
		return hint(err, "an agent that is just starting or stopping, or another command, holds it: try again in a moment")
	case errors.As(err, &damaged):
		return hint(err, "`brownout run` sets a damaged store aside, keeps it, and goes on with a new one")
	}
	if olderSchema(err) {
		return hint(err, "run `brownout store upgrade`; it takes seconds, and keeps the file as it was")
	}
	return err
}

// serviceInstalled reports whether systemd keeps a state folder for us.
func serviceInstalled() bool {
	_, err := os.Lstat("/var/lib/brownout") // a link that only root may follow
	return err == nil
}

// olderSchema reports whether a store could not be opened because it is of an older version.
func olderSchema(err error) bool {
	var schema *store.SchemaError
	return errors.As(err, &schema) && schema.Found < schema.Supported
}

// close lets go of the store.
func (c *client) close() {
	if c.store != nil {
		c.store.Close() // it was only read
	}
}

// running reports whether an agent answers.
func (c *client) running() bool { return c.live != nil }

// explainAsking adds the next step to an error of asking an agent elsewhere, of which this machine's doctor knows nothing.
func (c *client) explainAsking(err error) error {
	var unknown x509.UnknownAuthorityError
	switch {
	case c.base == socketBase:
		return err
	case errors.As(err, &unknown):
		return hint(err, "name the authority that signed its certificate, or the certificate itself, by $SSL_CERT_FILE")
	}
	return hint(err, "look whether it is that machine's http.listen, and http or https as http.web_config_file there says")
}

// get writes the answer to w. A problem is a *web.Problem.
func (c *client) get(ctx context.Context, path string, query url.Values, w io.Writer) error {
	base := c.base
	if base == "" {
		base = socketBase
	}
	target := base + web.Prefix + path + "?" + query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return fmt.Errorf("ask for %s: %w", path, err)
	}
	if c.live == nil {
		return c.getLocal(req, w)
	}
	resp, err := c.live.Do(req)
	if err != nil {
		return c.explainAsking(fmt.Errorf("ask the agent: %w", err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return readProblem(resp.StatusCode, resp.Body)
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("read the agent's answer to the end: %w", err)
	}
	return nil
}

func readProblem(status int, body io.Reader) error {
	if status == http.StatusUnauthorized {
		return hint(errors.New("the agent wants a password, or another one"), "put it into the URL: https://user:password@probe.example:8413")
	}
	p := &web.Problem{}
	if err := json.NewDecoder(body).Decode(p); err != nil {
		return fmt.Errorf("the agent answers %d %s", status, http.StatusText(status))
	}
	return p
}

// getLocal runs the handler; what it writes is streamed.
func (c *client) getLocal(req *http.Request, w io.Writer) (err error) {
	out := &localWriter{header: http.Header{}, status: http.StatusOK, to: w}
	defer func() {
		if r := recover(); r != nil {
			if r != any(http.ErrAbortHandler) {
				panic(r)
			}
			err = c.fail
		}
	}()
	c.local.ServeHTTP(out, req)
	if out.status >= http.StatusInternalServerError && c.fail != nil {
		return c.fail // the answer itself names nothing of this machine
	}
	if out.status != http.StatusOK {
		return readProblem(out.status, &out.problem)
	}
	return nil
}

// localWriter is a ResponseWriter without a network: answers go to a stream, problems to a buffer.
type localWriter struct {
	header  http.Header
	status  int
	to      io.Writer
	problem bytes.Buffer
}

func (w *localWriter) Header() http.Header    { return w.header }
func (w *localWriter) WriteHeader(status int) { w.status = status }

// Take gives an answer to who wants it as it is.
func (w *localWriter) Take(answer any) bool {
	t, ok := w.to.(web.Taker)
	return ok && t.Take(answer)
}

func (w *localWriter) Write(b []byte) (int, error) {
	if w.status != http.StatusOK {
		return w.problem.Write(b)
	}
	return w.to.Write(b)
}
