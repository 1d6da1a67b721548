package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"
)

// The headers of a webhook's request.
const (
	HeaderID        = "X-Brownout-Id"        // of the notice
	HeaderSignature = "X-Brownout-Signature" // see Sign
)

// webhook posts notices as JSON.
type webhook struct {
	url    string
	secret []byte // empty: requests are not signed
	client *http.Client
}

// Webhook posts each notice to a URL as JSON, signed with a secret where there is one.
func Webhook(url string, secret []byte) Sender { return &webhook{url, secret, newClient()} }

// newClient follows no redirect: it would take a notice, and a secret, to where nobody configured.
func newClient() *http.Client {
	return &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (w *webhook) Send(ctx context.Context, n *Notice) error {
	body, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return post(ctx, w.client, w.url, body, func(h http.Header) {
		h.Set(HeaderID, n.ID)
		if len(w.secret) > 0 {
			h.Set(HeaderSignature, Sign(w.secret, time.Now(), body))
		}
	})
}

// Sign is "t=UNIX,v1=HEX": HEX is the HMAC-SHA256, keyed by the secret, of UNIX, a full stop, and the body. A receiver that
// refuses an old UNIX cannot be fooled by what was sent once.
func Sign(secret []byte, at time.Time, body []byte) string {
	unix := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(unix + "."))
	mac.Write(body)
	return "t=" + unix + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// post posts JSON.
func post(ctx context.Context, client *http.Client, url string, body []byte, headers func(http.Header)) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return scrubbed(err, url)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "brownout")
	headers(req.Header)
	resp, err := client.Do(req)
	if err != nil {
		return scrubbed(err, url)
	}
	defer resp.Body.Close()
	const enough = 64 << 10                        // to use the connection again
	_, _ = io.CopyN(io.Discard, resp.Body, enough) // its status is all that counts
	return statusError(resp.StatusCode)
}
