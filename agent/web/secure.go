package web

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
)

// policy lets a page load nothing but what this origin serves as a file, and nobody frame it.
const policy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

const (
	reloadPath = "/-/reload"
	maxURL     = 4 << 10 // bytes
)

// secured refuses every method that could change something, and tells browsers what a page may do.
func (h *handler) secured(next http.Handler) http.Handler {
	sameOrigin := http.NewCrossOriginProtection()
	next = sameOrigin.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Content-Security-Policy", policy)
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("X-Frame-Options", "DENY")
		head.Set("Referrer-Policy", "no-referrer")
		head.Set("Cross-Origin-Opener-Policy", "same-origin")
		head.Set("Cross-Origin-Resource-Policy", "same-origin")
		reads := r.Method == http.MethodGet || r.Method == http.MethodHead
		switch {
		case len(r.URL.RequestURI()) > maxURL:
			(&Problem{Status: http.StatusRequestURITooLong, Detail: "the address is longer than any question"}).answer(w, r)
		case r.URL.Path == reloadPath && r.Method != http.MethodPost:
			head.Set("Allow", http.MethodPost)
			(&Problem{Status: http.StatusMethodNotAllowed, Detail: "ask for a reload by POST"}).write(w)
		case r.URL.Path != reloadPath && !reads:
			head.Set("Allow", "GET, HEAD")
			(&Problem{Status: http.StatusMethodNotAllowed, Detail: "the API only answers questions: use GET or HEAD"}).write(w)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// reload reads the configuration anew. It is asked for from this machine, or by somebody who has proved who they are.
func (h *handler) reload(w http.ResponseWriter, r *http.Request) {
	switch {
	case !local(r) && (h.opt.Authenticated == nil || !h.opt.Authenticated()):
		(&Problem{Status: http.StatusForbidden, Detail: "a reload is for this machine's loopback, the agent's socket, or whoever is authenticated"}).write(w)
	case h.opt.Reload == nil:
		(&Problem{Status: http.StatusNotImplemented, Detail: "there is nothing to reload"}).write(w)
	default:
		if err := h.opt.Reload(r.Context()); err != nil && !errors.Is(err, context.Canceled) {
			h.opt.Log.Error("the configuration was not reloaded", "error", err)
			(&Problem{Status: http.StatusUnprocessableEntity, Detail: "the configuration is not valid, and the old one stays in force; the agent's log says why"}).write(w)
			return
		}
		plain(w, http.StatusOK, "ok\n")
	}
}

// local reports whether a request comes from this machine itself: what a proxy passes on does not.
func local(r *http.Request) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via"} {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr == "" || r.RemoteAddr == "@" // a Unix socket's
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
