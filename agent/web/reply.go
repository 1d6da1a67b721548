package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
)

// reply is an answer on its way out. While it is small it is held back: then a failure can still become a problem, and the
// whole has an ETag (RFC 9110, section 8.8.3) by which it need not be sent again. A larger one is streamed.
type reply struct {
	w     http.ResponseWriter
	r     *http.Request
	held  bytes.Buffer
	zip   *gzip.Writer // nil: as it is
	begun bool         // whether some of the body has been sent
}

const (
	mostHeld   = 256 << 10 // bytes
	worthAZip  = 1 << 10   // bytes
	gzipEffort = 5         // of 9: beyond it, a list of rounds shrinks by another hundredth
)

func newReply(w http.ResponseWriter, r *http.Request) *reply { return &reply{w: w, r: r} }

// Header is the answer's.
func (a *reply) Header() http.Header { return a.w.Header() }

// Write is the body's.
func (a *reply) Write(b []byte) (int, error) {
	if a.begun {
		return a.out().Write(b)
	}
	n, _ := a.held.Write(b) // a buffer takes everything
	if a.held.Len() <= mostHeld {
		return n, nil
	}
	a.begin(true)
	_, err := a.out().Write(a.held.Bytes())
	a.held = bytes.Buffer{}
	return n, err
}

// begin sends the header.
func (a *reply) begin(worth bool) {
	a.begun = true
	head := a.Header()
	head.Add("Vary", "Accept-Encoding")
	if head.Get("Cache-Control") == "" {
		head.Set("Cache-Control", "no-cache") // to be kept, and asked about each time
	}
	if worth && compressible(head.Get("Content-Type")) && accepts(a.r, "gzip") {
		head.Set("Content-Encoding", "gzip")
		a.zip, _ = gzip.NewWriterLevel(a.w, gzipEffort) // the effort is a valid one
	}
	a.w.WriteHeader(http.StatusOK)
}

func (a *reply) out() io.Writer {
	if a.zip != nil {
		return a.zip
	}
	return a.w
}

// finish sends what was held back, or that the asker has it already.
func (a *reply) finish() error {
	if !a.begun {
		tag := tagOf(a.held.Bytes())
		a.Header().Set("ETag", tag)
		if matchesTag(a.r.Header.Get("If-None-Match"), tag) {
			a.Header().Del("Content-Type")
			a.begun = true
			a.w.WriteHeader(http.StatusNotModified)
			return nil
		}
		a.begin(a.held.Len() > worthAZip)
		if _, err := a.out().Write(a.held.Bytes()); err != nil {
			return err
		}
	}
	if a.zip != nil {
		return a.zip.Close()
	}
	return nil
}

// tagOf is a weak tag: the compressed form has the same.
func tagOf(body []byte) string {
	sum := sha256.Sum256(body)
	return `W/"` + hex.EncodeToString(sum[:12]) + `"`
}

// matchesTag compares weakly with a list of tags.
func matchesTag(list, tag string) bool {
	for one := range strings.SplitSeq(list, ",") {
		one = strings.TrimSpace(one)
		if one == "*" || strings.TrimPrefix(one, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}

func compressible(contentType string) bool {
	return !strings.HasPrefix(contentType, "image/png") && !strings.HasPrefix(contentType, "application/zip")
}

// accepts reports whether a request takes an encoding; one with a weight of zero is refused.
func accepts(r *http.Request, encoding string) bool {
	for one := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(one), ";")
		if strings.TrimSpace(name) == encoding {
			weight = strings.ReplaceAll(weight, " ", "")
			return strings.Trim(strings.TrimPrefix(weight, "q="), "0.") != "" || weight == ""
		}
	}
	return false
}
