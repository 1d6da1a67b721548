package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"

	"brownout/probe"
	"brownout/probe/outage"
)

//go:embed assets
var assets embed.FS

// uPlot 1.6.32, MIT licence (assets/uplot.LICENSE), is vendored unchanged as assets/uplot.js.

// pages are what people look at: HTML that says everything by itself, and what it loads.
func (h *handler) pages() map[string]func(*answer) error {
	return map[string]func(*answer) error{
		"/{$}":            h.overviewPage,
		"/outages":        h.outagesPage,
		"/outages/{id}":   h.outagePage,
		"/addresses/{ip}": h.addressPage,
		"/about":          h.aboutPage,
		"/api":            h.apiPage,
		"/figures/{name}": h.figure,
		"/assets/{name}":  asset,
		"/favicon.ico":    func(a *answer) error { return sendAsset(a, "icon.svg") },
	}
}

// page is what every page's template gets.
type page struct {
	Title  string
	Path   string // of the navigation's entry that it belongs to
	Script bool   // whether it has something that moves
	Space  string
	About  *About // nil: no agent runs
	By     string // whose observations these are
	Live   bool
	AsOf   probe.Instant // 0: not said
	Version,
	Vantage string
	Body any
}

// show answers with a page.
func (h *handler) show(a *answer, name string, p page) error {
	r, err := h.latest()
	if err != nil {
		return err
	}
	p.Space, p.Vantage, p.AsOf = spaceNameOf(r), h.vantage(r), probe.InstantOf(h.opt.Now())
	p.About, p.By = h.about(), h.about().By()
	if h.opt.Live != nil {
		p.Live, p.Version = true, h.opt.Live().Version
	}
	var b bytes.Buffer
	if err := templates().ExecuteTemplate(&b, name, &p); err != nil {
		return fmt.Errorf("draw page %s: %w", name, err)
	}
	a.contentType("text/html; charset=utf-8")
	_, err = a.Write(b.Bytes())
	return err
}

// asset answers with a file that pages load.
func asset(a *answer) error {
	a.p.get("v")
	if err := a.p.done(); err != nil {
		return err
	}
	return sendAsset(a, a.r.PathValue("name"))
}

func sendAsset(a *answer, name string) error {
	data, err := assets.ReadFile("assets/" + name)
	if err != nil || strings.HasSuffix(name, ".html") {
		return notFound("there is no file of that name")
	}
	if a.r.URL.Query().Get("v") == fingerprints()[name] {
		a.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	a.contentType(contentTypeOf(name))
	_, err = a.Write(data)
	return err
}

func contentTypeOf(name string) string {
	switch ext := path.Ext(name); ext {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".LICENSE":
		return "text/plain; charset=utf-8"
	default:
		return mime.TypeByExtension(ext)
	}
}

// assetURL names an asset so that a new version has a new name.
func assetURL(name string) (string, error) {
	tag, ok := fingerprints()[name]
	if !ok {
		return "", fmt.Errorf("there is no asset %q", name)
	}
	return "/assets/" + name + "?v=" + tag, nil
}

// fingerprints tell the versions of the assets apart, by name.
var fingerprints = sync.OnceValue(func() map[string]string {
	tags := map[string]string{}
	list, _ := assets.ReadDir("assets") // it was embedded
	for _, f := range list {
		data, _ := assets.ReadFile("assets/" + f.Name())
		sum := sha256.Sum256(data)
		tags[f.Name()] = hex.EncodeToString(sum[:6])
	}
	return tags
})

func (h *handler) aboutPage(a *answer) error {
	if err := a.p.done(); err != nil {
		return err
	}
	r, err := h.latest()
	if err != nil {
		return err
	}
	return h.show(a, "about.html", page{Title: "About this probe", Path: "/about", Body: aboutRound(r)})
}

func (h *handler) apiPage(a *answer) error {
	if err := a.p.done(); err != nil {
		return err
	}
	return h.show(a, "api.html", page{Title: "API", Path: "/api", Body: apiRoutes()})
}

// wantsPage reports whether an asker is a person's browser, for whom a problem is a page.
func wantsPage(r *http.Request) bool {
	return !strings.HasPrefix(r.URL.Path, Prefix) && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// problemPage says what is wrong in words.
func problemPage(w http.ResponseWriter, p *Problem) {
	var b bytes.Buffer
	if err := templates().ExecuteTemplate(&b, "problem.html", &page{Title: http.StatusText(p.Status), Body: p}); err != nil {
		p.write(w)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(p.Status)
	_, _ = w.Write(b.Bytes()) // who went away needs no answer
}

// meaning is a state in a sentence.
func meaning(s outage.State) string {
	switch s {
	case outage.Up:
		return "What normally answers does."
	case outage.Partial:
		return "Less answers than normally does: a brownout."
	case outage.Total:
		return "Nothing answers, by any protocol."
	case outage.Unknown:
		return "We did not look, or cannot trust what we saw."
	case outage.Unobservable:
		return "Too little answers here for silence to prove anything."
	}
	return "Which addresses answer, and how reliably, is not known yet."
}
