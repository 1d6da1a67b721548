package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"brownout/probe"
	"brownout/probe/outage"
)

// hook is a server that keeps what it is sent.
type hook struct {
	*httptest.Server
	status int
	got    []*http.Request
	bodies []string
}

func newHook(t *testing.T) *hook {
	h := &hook{status: http.StatusOK}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		h.got, h.bodies = append(h.got, r), append(h.bodies, string(body))
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(h.status)
	}))
	t.Cleanup(h.Close)
	return h
}

func TestWebhook(t *testing.T) {
	h := newHook(t)
	w := Webhook(h.URL+"/hook/s3cret-token", []byte("key"))
	n := exampleNotice()
	n.Number = 7
	if err := w.Send(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if h.got[0].Method != http.MethodPost || h.got[0].Header.Get(HeaderID) != n.ID {
		t.Errorf("got %s with %v", h.got[0].Method, h.got[0].Header)
	}
	if !signed(h.got[0].Header.Get(HeaderSignature), "key", h.bodies[0]) || signed(h.got[0].Header.Get(HeaderSignature), "kez", h.bodies[0]) {
		t.Errorf("the signature is %q", h.got[0].Header.Get(HeaderSignature))
	}
	var got Notice
	if err := json.Unmarshal([]byte(h.bodies[0]), &got); err != nil || got.ID != n.ID || got.Number != 7 || len(got.Transitions) != len(n.Transitions) {
		t.Errorf("got %s (%v)", h.bodies[0], err)
	}
	for _, status := range []int{302, 400, 404, 500} {
		h.status = status
		err := w.Send(t.Context(), n)
		if refused := errors.As(err, new(*RefusedError)); err == nil || refused != (status == 400) {
			t.Errorf("after %d: %v", status, err)
		}
	}
	if len(h.got) != 5 {
		t.Errorf("%d requests: a redirect was followed", len(h.got))
	}
	h.Close()
	if err := w.Send(t.Context(), n); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("of a receiver that is gone: %v", err)
	}
}

// signed checks a signature as a receiver would.
func signed(header, key, body string) bool {
	stamp, sum, ok := strings.Cut(header, ",v1=")
	mac := hmac.New(sha256.New, []byte(key))
	fmt.Fprintf(mac, "%s.%s", strings.TrimPrefix(stamp, "t="), body)
	return ok && hex.EncodeToString(mac.Sum(nil)) == sum
}

func TestUnsignedWebhook(t *testing.T) {
	h := newHook(t)
	if err := Webhook(h.URL, nil).Send(t.Context(), exampleNotice()); err != nil || h.got[0].Header.Get(HeaderSignature) != "" {
		t.Errorf("signed %q (%v)", h.got[0].Header.Get(HeaderSignature), err)
	}
}

func TestSlowReceiver(t *testing.T) {
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer s.Close()
	defer close(release)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if err := Webhook(s.URL, nil).Send(ctx, exampleNotice()); err == nil {
		t.Error("a receiver that says nothing took it")
	}
}

// TestShoutrrr sends by the service that needs no account.
func TestShoutrrr(t *testing.T) {
	h := newHook(t)
	target := "generic+" + h.URL + "/s3cret-token?template=json"
	s, err := Shoutrrr(target)
	if err != nil {
		t.Fatal(err)
	}
	c := Channel{Sender: s}
	if err := c.Try(t.Context(), exampleNotice()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(h.bodies[0], "total outage since 1970-01-01 00:00:00 UTC") || !strings.Contains(h.bodies[0], "brownout example: space") {
		t.Errorf("the message is %s", h.bodies[0])
	}
	h.Close()
	if err := c.Try(t.Context(), exampleNotice()); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("of a receiver that is gone: %v", err)
	}
}

// TestServices proves that the URLs of the usual services are taken, and that no error tells one.
func TestServices(t *testing.T) {
	for _, target := range []string{
		"slack://hook:T00000000-B00000000-s3crets3crets3crets3cret@webhook",
		"discord://s3cret-token@123456789",
		"telegram://110201543:AAHdqTcvCH1vGWJxfSeofSs3cretsaldsaw@telegram?chats=@channel",
		"ntfy://user:s3cret-password@ntfy.example/topic",
		"matrix://user:s3cret-password@matrix.example:8448/?rooms=room",
		"smtp://user:s3cret-password@mail.example:587/?from=a@example.org&to=b@example.org",
		"gotify://gotify.example/As3cretToken12",
	} {
		if _, err := Shoutrrr(target); err != nil {
			t.Errorf("%s: %v", target, err)
		}
	}
	for _, target := range []string{"nonsense://s3cret-token@host", "slack://s3cret-token", "discord://:s3cret-token"} {
		if _, err := Shoutrrr(target); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", target, err)
		}
	}
}

func TestTemplates(t *testing.T) {
	title, err := ParseTemplate("{{.Severity}} {{.Subject}} {{clock .At}}")
	if err != nil {
		t.Fatal(err)
	}
	text, err := ParseTemplate("{{range .Transitions}}{{.What}};{{end}}{{range lines .}}{{.}}{{end}}")
	if err != nil {
		t.Fatal(err)
	}
	n := exampleNotice()
	(&Templates{Title: title, Text: text}).render(n)
	if n.Title != "critical space 1970-01-01 00:00:00 UTC" || !strings.HasPrefix(n.Text, "opened;ended;revised;total outage since") {
		t.Errorf("title %q, text %q", n.Title, n.Text)
	}
	for _, wrong := range []string{"{{", "{{.Nonsense}}", "{{range .Transitions}}{{.Outage.Nonsense}}{{end}}"} {
		if _, err := ParseTemplate(wrong); err == nil {
			t.Errorf("%q is a template", wrong)
		}
	}
}

func TestUsualWords(t *testing.T) {
	n := exampleNotice()
	n.Grouped = true
	(&Templates{}).render(n)
	if n.Title != "brownout example: space outage revised (unstable: updates are grouped)" {
		t.Errorf("title %q", n.Title)
	}
	want := "total outage since 1970-01-01 00:00:00 UTC (00:00:00 to 00:00:00): 0 of 18.0 expected addresses answered [space-example]\n" +
		"total outage from 1970-01-01 00:00:00 UTC to 1970-01-01 00:00:00 UTC, 0s [space-example]\n" +
		"the outage from 1970-01-01 00:00:00 UTC is held to have been partial [space-example]"
	if n.Text != want {
		t.Errorf("text\n%s\nwant\n%s", n.Text, want)
	}
	for range 100 {
		n.Transitions = append(n.Transitions, n.Transitions[0])
	}
	if (&Templates{}).render(n); len([]rune(n.Text)) != longestText {
		t.Errorf("the text has %d characters", len(n.Text))
	}
}

// TestWordsOfPhases tells an outage that began partial, was total and then partial again, as it goes: the figures of an outage
// are those of its worst pass, which the words of no other phase may take.
func TestWordsOfPhases(t *testing.T) {
	at := func(second int64) outage.Interval {
		i := probe.Instant(second * 1000)
		return outage.Interval{Earliest: i, At: i, Latest: i}
	}
	o := outage.Outage{
		ID: "space-example", Block: outage.SpaceBlock, Kind: outage.Partial, Status: outage.Ongoing, Start: at(0), Expected: 47_9340, Observed: 16,
		Phases: []outage.Phase{{Kind: outage.Partial, Start: at(0)}}, Dark: []netip.Prefix{netip.MustParsePrefix("198.18.1.0/24")},
	}
	k := known{}
	var got []string
	tell := func(o outage.Outage) {
		for _, tr := range k.follow(&o, 100_000) {
			got = append(got, line(&tr))
		}
	}
	tell(o)
	o.Kind, o.Observed, o.Phases = outage.Total, 0, append(slices.Clone(o.Phases), outage.Phase{Kind: outage.Total, Start: at(35)})
	tell(o)
	o.Phases = append(slices.Clone(o.Phases), outage.Phase{Kind: outage.Partial, Start: at(56)})
	tell(o)
	end := at(66)
	back, restored := at(56), o
	o.Phases[0].End, o.Phases[1].End, o.Phases[2].End, o.End, o.Status = &o.Phases[1].Start, &back, &end, &end, outage.Ended
	tell(o)
	k = known{} // told of late, when it had been through all that
	tell(restored)
	want := []string{
		"partial outage since 1970-01-01 00:00:00 UTC (00:00:00 to 00:00:00): 16 of 47.9 expected addresses answered; dark: 198.18.1.0/24 [space-example]",
		"total since 1970-01-01 00:00:35 UTC: 0 of 47.9 expected addresses answered [space-example]",
		"partial since 1970-01-01 00:00:56 UTC: some addresses answered again [space-example]",
		"outage from 1970-01-01 00:00:00 UTC to 1970-01-01 00:01:06 UTC, 1m6s, total for 21s of it [space-example]",
		"partial outage since 1970-01-01 00:00:00 UTC (00:00:00 to 00:00:00) [space-example]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestAlerts opens and resolves alerts as an outage goes through its phases.
func TestAlerts(t *testing.T) {
	h := newHook(t)
	active := map[string]Transition{SubjectVantage: {What: VantageLost, At: 5}}
	a := Alertmanager(h.URL+"/", "fra1", active)
	story := newStory(t)
	story.begin(outage.Partial)
	story.wait(11)
	story.become(outage.Total)
	story.wait(0)
	story.end()
	story.wait(0)
	want := []string{
		"BrownoutPartialOutage firing, BrownoutVantageLost firing",
		"BrownoutPartialOutage resolved, BrownoutTotalOutage firing, BrownoutVantageLost firing",
		"BrownoutTotalOutage resolved, BrownoutVantageLost firing",
	}
	for i, n := range story.told {
		h.status = http.StatusServiceUnavailable
		if a.Send(t.Context(), n) == nil {
			t.Error("it was taken")
		}
		h.status = http.StatusOK
		if err := a.Send(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		if got := alertsIn(t, h); got != want[i] {
			t.Errorf("%s: %s, want %s", n.Transitions[0].What, got, want[i])
		}
	}
	if err := a.(resender).Resend(t.Context()); err != nil || alertsIn(t, h) != "BrownoutVantageLost firing" {
		t.Errorf("again: %s (%v)", alertsIn(t, h), err)
	}
	if h.got[0].URL.Path != "/api/v2/alerts" {
		t.Errorf("asked %s", h.got[0].URL)
	}
}

// alertsIn is the alerts of the last request.
func alertsIn(t *testing.T, h *hook) string {
	t.Helper()
	var list []alert
	if err := json.Unmarshal([]byte(h.bodies[len(h.bodies)-1]), &list); err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, a := range list {
		is := "resolved"
		if a.EndsAt.After(time.Now()) {
			is = "firing"
		}
		words = append(words, a.Labels["alertname"]+" "+is)
	}
	return strings.Join(words, ", ")
}
