package web

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	toolkit "github.com/prometheus/exporter-toolkit/web"
)

const (
	headerTimeout  = 5 * time.Second
	idleTimeout    = time.Minute
	writeTimeout   = 30 * time.Second // without progress; an export may last
	shutdownGrace  = 3 * time.Second
	maxHeaderBytes = 16 << 10
	maxAtOnce      = 64 // requests under way
	maxTurns       = 4  // of them, answers that are being worked out: more keep a sweep from the processor until its probes are overdue
)

// Listener is where questions come from.
type Listener struct {
	net.Listener
	// WebConfig is a file of the Prometheus exporters' web configuration: TLS, basic authentication, HTTP/2. It is read
	// again with every connection. "": none.
	WebConfig string
}

// Serve answers on the listeners until ctx ends, lets the answers under way finish for a moment, and closes the
// listeners. A listener that fails ends it too.
func Serve(ctx context.Context, h http.Handler, log *slog.Logger, listeners ...Listener) error {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	h = atOnce(maxAtOnce, h)
	failed := make(chan error, len(listeners))
	var running sync.WaitGroup
	servers := make([]*http.Server, len(listeners))
	for i, l := range listeners {
		// A server each: the file's authentication wraps its server's handler.
		servers[i] = newServer(h, log)
		running.Go(func() {
			flags := &toolkit.FlagConfig{WebConfigFile: &l.WebConfig}
			if err := toolkit.Serve(l.Listener, servers[i], flags, slog.New(slog.DiscardHandler)); !errors.Is(err, http.ErrServerClosed) {
				l.Close()
				failed <- fmt.Errorf("serve on %s: %w", l.Addr(), err)
				cancel()
			}
		})
	}
	<-ctx.Done()
	grace, stop := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer stop()
	for _, server := range servers {
		running.Go(func() {
			if server.Shutdown(grace) != nil {
				server.Close()
			}
		})
	}
	running.Wait()
	close(failed)
	return <-failed
}

func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: headerTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// atOnce refuses requests beyond n at once, has a few of them worked out at a time, and gives each write its own deadline.
func atOnce(n int, h http.Handler) http.Handler {
	places, turns := make(chan struct{}, n), make(chan struct{}, maxTurns)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		patient := &patient{ResponseWriter: w, control: http.NewResponseController(w)}
		if Listens(r) { // the feed counts its listeners itself
			h.ServeHTTP(patient, r)
			return
		}
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
			if costly(r) {
				select {
				case turns <- struct{}{}:
				case <-r.Context().Done(): // who asked is gone
					return
				}
				defer func() { <-turns }()
				patient.turns = turns
			}
			h.ServeHTTP(patient, r)
		default:
			w.Header().Set("Retry-After", "1")
			(&Problem{Status: http.StatusServiceUnavailable, Detail: fmt.Sprintf("%d questions are being answered already", n)}).write(w)
		}
	})
}

// Listens reports whether a request is for the stream: it is answered for as long as somebody listens, and costs next to nothing.
func Listens(r *http.Request) bool { return r.URL.Path == Prefix+"stream" }

// costly reports whether an answer takes the processor for long, and nothing else: not so whether the agent is well, nor what it
// is told to do.
func costly(r *http.Request) bool {
	return !strings.HasPrefix(r.URL.Path, "/-/") && r.URL.Path != "/healthz" && r.URL.Path != "/readyz"
}

// patient is a ResponseWriter whose reader must make progress.
type patient struct {
	http.ResponseWriter
	control *http.ResponseController
	turns   chan struct{} // others have theirs while we write; nil: nobody waits for ours
}

// Unwrap lets a stream flush.
func (p *patient) Unwrap() http.ResponseWriter { return p.ResponseWriter }

func (p *patient) Write(b []byte) (int, error) {
	if p.turns != nil {
		<-p.turns
		defer func() { p.turns <- struct{}{} }()
	}
	_ = p.control.SetWriteDeadline(time.Now().Add(writeTimeout)) // where it is not supported, there is no deadline
	return p.ResponseWriter.Write(b)
}

// SocketPath is the Unix socket of the agent that runs on a store.
func SocketPath(store string) string { return store + ".sock" }

// maxSocketPath is the longest name of a Unix socket: sockaddr_un's 108 bytes less its end (unix(7)).
const maxSocketPath = 107

// ListenSocket listens on the socket of a store, for its owner alone. The caller holds the store's lock, so a socket that
// is there already was left behind.
func ListenSocket(store string) (net.Listener, error) {
	path := SocketPath(store)
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("listen on %s: the name is longer than the %d bytes of a Unix socket's: use a shorter store path", path, maxSocketPath)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() != fs.ModeSocket {
		return nil, fmt.Errorf("listen on %s: there is another file of that name", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listen on %s: remove the old socket: %w", path, err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	return l, nil
}

// DialSocket connects to the agent that runs on a store.
func DialSocket(ctx context.Context, store string) (net.Conn, error) {
	return (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "unix", SocketPath(store))
}

const dialTimeout = 5 * time.Second

// Answers reports whether an agent listens on a store's socket.
func Answers(store string) bool {
	conn, err := DialSocket(context.Background(), store)
	if err == nil {
		conn.Close()
	}
	return err == nil
}
