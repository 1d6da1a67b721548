package web_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"brownout/agent/testkit"
	"brownout/agent/web"
	"brownout/probe"
	"brownout/probe/lab"
	"brownout/probe/outage"
	"brownout/store"
)

var (
	shots  = flag.String("shots", "", "a folder for screenshots of every view; \"\": one that is thrown away")
	demoDB = flag.String("demo", "", "a store that `brownout demo --keep` made, to look at rather than a simulated one")
)

// site is a handler on loopback and a browser that looks at it.
type site struct {
	url  string
	feed *web.Feed
	now  probe.Instant
	tab  context.Context
	dir  string

	mu       sync.Mutex
	problems []string // what a console said, and requests that left the origin
}

// openSite serves the world, or a demo's, as a running agent does where live.
func openSite(t testing.TB, live bool) *site {
	t.Helper()
	s, now := someStore(t)
	return siteOf(t, s, now, live)
}

// siteOf serves a store that was measured until now.
func siteOf(t testing.TB, s *store.Store, now probe.Instant, live bool) *site {
	t.Helper()
	v := &site{now: now, feed: &web.Feed{}, dir: *shots}
	if v.dir == "" {
		v.dir = t.TempDir()
	}
	o := web.Options{Now: now.Time, About: liveOptions().About}
	if *demoDB != "" {
		o.About = web.About{Contact: "https://brownout.example/demo", Vantage: "demo"} // as its packets say
	}
	if live {
		o.Feed = v.feed
		o.Live = func() *web.Agent {
			return &web.Agent{Version: "test", Vantage: "fra1", Healthy: true, Checked: true, Round: &web.Progress{Start: now, Sent: 10, Planned: 100}}
		}
	}
	server := httptest.NewServer(web.Handler(s, o))
	t.Cleanup(server.Close)
	t.Cleanup(v.feed.Close)
	v.url = server.URL
	v.openTab(t)
	return v
}

// someStore is what is looked at, and until when it was measured.
func someStore(t testing.TB) (*store.Store, probe.Instant) {
	t.Helper()
	if *demoDB == "" {
		return worldStore(t, 3)
	}
	s, err := store.Open(*demoDB, store.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for r, err := range s.Rounds(math.MinInt64, math.MaxInt64, true) {
		if err != nil {
			t.Fatal(err)
		}
		return s, r.End
	}
	t.Fatal("the demo's store is empty")
	return nil, 0
}

func (v *site) openTab(t testing.TB) {
	t.Helper()
	v.tab = testkit.Browser(t, 3*time.Minute)
	if _, err := chromedp.Call(v.tab, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	v.watch()
}

// watch notes what should not happen.
func (v *site) watch() {
	requests, console := chromedp.Events(v.tab, network.RequestWillBeSent), chromedp.Console(v.tab)
	go func() {
		for e, err := range requests {
			if err != nil {
				return
			}
			if u := e.Request.URL; !strings.HasPrefix(u, v.url) && !strings.HasPrefix(u, "blob:"+v.url) && !strings.HasPrefix(u, "about:") {
				v.note("a request left the origin: " + u)
			}
		}
	}()
	go func() {
		for m, err := range console {
			if err != nil {
				return
			}
			v.note(fmt.Sprintf("the console said: %v", m))
		}
	}()
}

func (v *site) note(s string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.problems = append(v.problems, s)
}

func (v *site) quiet(t *testing.T, where string) {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, p := range v.problems {
		t.Errorf("%s: %s", where, p)
	}
	v.problems = nil
}

func (v *site) do(t testing.TB, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(v.tab, steps...); err != nil {
		t.Fatal(err)
	}
}

// until waits for something to become true in the page.
func (v *site) until(t testing.TB, expression string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(v.tab, 20*time.Second)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](expression)); err != nil {
		t.Fatalf("it never came to be that %s: %v; %s", expression, err, ask[string](t, v, `location.href + " " + (document.getElementById("legend")?.textContent ?? "")`))
	}
}

func ask[T any](t testing.TB, v *site, expression string) T {
	t.Helper()
	out, err := chromedp.Run(v.tab, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return out
}

func (v *site) media(t testing.TB, theme string) {
	t.Helper()
	_, err := chromedp.Call(v.tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
	if err != nil {
		t.Fatal(err)
	}
}

// shown waits until a view is all there: its plots and map, and its figures.
const shown = `document.readyState === "complete" && (!document.getElementById("app") || document.getElementById("app").dataset.ready === "true")
	&& [...document.images].every((i) => (i.scrollIntoView(), i.complete && i.naturalWidth > 0))`

// views are every page that there is.
func (v *site) views(t *testing.T) map[string]string {
	t.Helper()
	var list []outage.Outage
	resp, err := http.Get(v.url + "/api/v1/outages")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(list, func(o outage.Outage) bool { return o.Kind == outage.Total })
	if i < 0 || len(list) < 2 {
		t.Fatalf("the world has %d outages, and none that is total", len(list))
	}
	return map[string]string{
		"overview": "/", "outages": "/outages", "outage": "/outages/" + list[i].ID, "address": "/addresses/" + list[i].Gone[0].String(),
		"about": "/about", "api": "/api", "problem": "/outages/none",
		"share": "/?layer=share", "rtt": "/?layer=rtt&order=rows", "change": "/?layer=change&at=" + list[i].Start.At.String(),
	}
}

// BenchmarkFirstPaint opens the overview as somebody does who was there before, and tells when the browser drew something.
func BenchmarkFirstPaint(b *testing.B) {
	v := openSite(b, false)
	sum := 0.0
	for b.Loop() {
		v.do(b, chromedp.Navigate(v.url+"/"))
		v.until(b, `performance.getEntriesByName("first-contentful-paint").length > 0`)
		sum += ask[float64](b, v, `performance.getEntriesByName("first-contentful-paint")[0].startTime`)
	}
	b.ReportMetric(sum/float64(b.N), "ms-to-paint")
}

// TestEveryView looks at every page in light and dark, wide and at the width of a phone: it draws, nothing is wider than the
// window, axe finds nothing, the console says nothing and no request leaves the origin.
func TestEveryView(t *testing.T) {
	v := openSite(t, false)
	axe, err := os.ReadFile("testdata/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	for name, path := range v.views(t) {
		for _, look := range looks(name) {
			where := fmt.Sprintf("%s-%s-%d", name, look.theme, look.width)
			v.media(t, look.theme)
			v.do(t, chromedp.EmulateViewport(look.width, 900), chromedp.Navigate(v.url+path))
			v.until(t, shown)
			if wide := ask[int64](t, v, `document.scrollingElement.scrollWidth`); wide > look.width {
				t.Errorf("%s: the page is %d wide", where, wide)
			}
			v.accessible(t, where, string(axe))
			if name == "problem" {
				v.mu.Lock()
				v.problems = nil // the browser itself says that the page is a 404
				v.mu.Unlock()
			}
			v.quiet(t, where)
			v.picture(t, where)
		}
	}
}

// look is how a page is looked at.
type look struct {
	theme string
	width int64
}

// looks are the ways to look at a view. A layer of the map differs from the overview in its canvas alone.
func looks(view string) []look {
	if slices.Contains([]string{"share", "rtt", "change"}, view) {
		return []look{{"light", 1280}}
	}
	return []look{{"light", 1280}, {"dark", 390}}
}

// accessible has axe-core look for violations. Both themes are looked at: colours differ, and little else.
func (v *site) accessible(t *testing.T, where, axe string) {
	t.Helper()
	v.do(t, chromedp.Evaluate[chromedp.Void](axe+";0"))
	found, err := chromedp.Run(v.tab, chromedp.Evaluate[[]string](`axe.run().then((r) => r.violations.map((x) => x.id + ": " + x.nodes.map((n) => n.html + " " + n.failureSummary).slice(0, 3).join(" | ")))`, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: axe: %v", where, err)
	}
	for _, f := range found {
		t.Errorf("%s: %s", where, f)
	}
}

func (v *site) picture(t *testing.T, name string) {
	t.Helper()
	data, err := chromedp.Run(v.tab, chromedp.FullScreenshot(100))
	if err == nil && *shots != "" {
		data, err = smaller(data)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(v.dir, name+".png"), data, 0o600)
	}
	if err != nil || len(data) < 5000 {
		t.Errorf("%s: picture of %d bytes: %v", name, len(data), err)
	}
}

// smaller is a PNG in its 256 most frequent colours: what a page has more of is in the edges of letters.
func smaller(data []byte) ([]byte, error) {
	from, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	box, count := from.Bounds(), map[color.Color]int{}
	at := func(i int) (x, y int) { return box.Min.X + i%box.Dx(), box.Min.Y + i/box.Dx() }
	for i := range box.Dx() * box.Dy() {
		count[from.At(at(i))]++
	}
	frequent := slices.SortedFunc(maps.Keys(count), func(a, b color.Color) int { return cmp.Compare(count[b], count[a]) })
	to := image.NewPaletted(box, frequent[:min(len(frequent), 256)])
	nearest := map[color.Color]uint8{}
	for i := range box.Dx() * box.Dy() {
		x, y := at(i)
		c := from.At(x, y)
		if _, ok := nearest[c]; !ok {
			nearest[c] = uint8(to.Palette.Index(c))
		}
		to.SetColorIndex(x, y, nearest[c])
	}
	var out bytes.Buffer
	err = (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, to)
	return out.Bytes(), err
}

// cursorAt is where the plot's cursor stands, in pixels.
const cursorAt = `document.querySelector("#rate .u-cursor-x").style.transform`

// TestCursorScrubberZoomAndLinks uses the overview as people do, and then opens the link that it left.
func TestCursorScrubberZoomAndLinks(t *testing.T) {
	v := openSite(t, false)
	v.media(t, "light")
	v.do(t, chromedp.EmulateViewport(1280, 1400), chromedp.Navigate(v.url+"/"))
	v.until(t, shown)
	first := ask[string](t, v, `document.getElementById("map").dataset.frame`)

	v.do(t, chromedp.Focus(chromedp.CSS("#time")), chromedp.KeyEvent(kb.ArrowLeft), chromedp.KeyEvent(kb.ArrowLeft))
	v.until(t, `location.search.includes("at=")`)
	scrubbed, cursor := ask[string](t, v, `document.getElementById("map").dataset.frame`), ask[string](t, v, cursorAt)
	if scrubbed >= first || cursor == "" {
		t.Errorf("the scrubber went from %s to %s, and the plot's cursor is at %q", first, scrubbed, cursor)
	}
	v.do(t, chromedp.Focus(chromedp.CSS("#rate")), chromedp.KeyEvent(kb.ArrowLeft), chromedp.KeyEvent(kb.ArrowLeft))
	if f, c := ask[string](t, v, `document.getElementById("map").dataset.frame`), ask[string](t, v, cursorAt); f >= scrubbed || c == cursor {
		t.Errorf("the plot's arrow keys left the map at %s and the cursor at %s", f, c)
	}
	v.do(t, chromedp.Focus(chromedp.CSS("#map")), chromedp.KeyEvent(kb.ArrowDown))
	if said := ask[string](t, v, `document.getElementById("hover").textContent`); !strings.HasPrefix(said, "198.18.") {
		t.Errorf("the map says %q of the cell in focus", said)
	}

	v.do(t, chromedp.Evaluate[chromedp.Void](`document.getElementById("app").dataset.ready = "";0`))
	box := ask[[]float64](t, v, `(() => { const b = document.querySelector("#rate .u-over").getBoundingClientRect(); return [b.left, b.top, b.width, b.height] })()`)
	v.do(t, chromedp.DragAndDropXY(box[0]+box[2]*.3, box[1]+box[3]/2, box[0]+box[2]*.6, box[1]+box[3]/2, 8))
	v.until(t, `location.search.includes("since=") && document.getElementById("app").dataset.ready === "true"`)
	span := ask[float64](t, v, `(Date.parse(new URLSearchParams(location.search).get("until")) - Date.parse(new URLSearchParams(location.search).get("since"))) / 3600e3`)
	if span < 6.5 || span > 8 {
		t.Errorf("three tenths of a day are %.2f h", span)
	}
	v.do(t, chromedp.SetValue(chromedp.CSS("#layer"), "share"), chromedp.Evaluate[chromedp.Void](`document.getElementById("layer").dispatchEvent(new Event("change"));0`))
	v.until(t, `location.search.includes("layer=share")`)

	link := ask[string](t, v, `location.href`)
	frame := ask[string](t, v, `document.getElementById("map").dataset.frame`)
	v.do(t, chromedp.Navigate("about:blank"), chromedp.Navigate(link))
	v.until(t, shown)
	v.until(t, `document.getElementById("layer").value === "share"`)
	if again := ask[string](t, v, `document.getElementById("map").dataset.frame`); again != frame {
		t.Errorf("the link shows the round of %s, and it was made at %s", again, frame)
	}
	v.quiet(t, "overview")
}

// TestMapFollowsTheCursor moves the cursor over more time than the map plays at once, and to where nothing was measured.
func TestMapFollowsTheCursor(t *testing.T) {
	v := openSite(t, false)
	begin := v.now.Add(-3 * 24 * 3600_000)
	if *demoDB != "" {
		t.Skip("the demo is shorter than that")
	}
	v.do(t, chromedp.EmulateViewport(1280, 1400), chromedp.Navigate(v.url+"/?since="+begin.Add(-24*3600_000).String()+"&until="+v.now.String()))
	v.until(t, shown)
	lag := func() float64 {
		return ask[float64](t, v, `(+new URLSearchParams(location.search).get("at") || Date.parse(new URLSearchParams(location.search).get("until"))) - Date.parse(document.getElementById("map").dataset.frame)`)
	}
	if late := lag(); late > 20*60_000 {
		t.Errorf("without a cursor, the map shows a round of %.0f ms before the end", late)
	}
	v.do(t, chromedp.Focus(chromedp.CSS("#rate")), chromedp.KeyEvent(kb.Home))
	v.until(t, fmt.Sprintf(`Date.parse(document.getElementById("map").dataset.frame) < %d`, begin.Add(2*3600_000)))
	if late := lag(); late < 0 || late > 20*60_000 {
		t.Errorf("the cursor is at the first rounds, and the map shows one of %.0f ms before it", late)
	}
	v.do(t, chromedp.KeyEvent(kb.End))
	v.until(t, fmt.Sprintf(`Date.parse(document.getElementById("map").dataset.frame) > %d`, v.now.Add(-2*3600_000)))

	v.do(t, chromedp.Navigate("about:blank"), chromedp.Navigate(v.url+"/?since="+begin.Add(-48*3600_000).String()+"&until="+begin.Add(-24*3600_000).String()))
	v.until(t, shown)
	v.until(t, `document.getElementById("map-key").textContent.includes("No round")`)
	if ask[bool](t, v, `["map", "map-controls", "scrubber"].some((id) => !document.getElementById(id).hidden)`) {
		t.Error("where nothing was measured, there is a map")
	}
	v.quiet(t, "overview")
}

// TestMapShowsTheLatestRound opens the day of an agent in a hurry, of more rounds than the map plays, which was given another
// space an hour ago.
func TestMapShowsTheLatestRound(t *testing.T) {
	s, err := store.Open(filepath.Join(t.TempDir(), "hurry.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	half, err := probe.ParseSpace([]string{"198.18.0.0/23"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := lab.Reference(1)
	at, change := m.Start, m.Start.Add(23*hourMS)
	for _, until := range []probe.Instant{change, change.Add(hourMS)} {
		sim, d, c := lab.NewSimulation(m, 1), outage.New(outage.Config{}), store.Commit{}
		for ; at < until; at = at.Add(60_000) {
			r := sim.Round(probe.Full, at, time.Minute, sim.Aims())
			if err := d.Put(r); err != nil {
				t.Fatal(err)
			}
			c.Findings.Add(d.Advance(r.End.Add(-1000)))
			c.Sealed = append(c.Sealed, r)
		}
		commit(t, s, d, &c)
		m.Start, m.Space = at, half
		m.Hosts = slices.DeleteFunc(m.Hosts, func(h lab.Inhabitant) bool { _, in := half.Index(h.Address); return !in })
	}
	v := siteOf(t, s, at, false)
	v.do(t, chromedp.EmulateViewport(1280, 1400), chromedp.Navigate(v.url+"/"))
	v.until(t, shown)
	if last, shows := at.Add(-60_000).String(), ask[string](t, v, `document.getElementById("map").dataset.frame`); shows != last {
		t.Errorf("the map shows the round of %s, and the latest is of %s", shows, last)
	}
	v.do(t, chromedp.Navigate("about:blank"), chromedp.Navigate(v.url+"/?at="+change.Add(-600_000).String()))
	v.until(t, shown)
	if want, shows := change.Add(-600_000).String(), ask[string](t, v, `document.getElementById("map").dataset.frame`); shows != want {
		t.Errorf("the map shows the round of %s, and the cursor is at that of %s", shows, want)
	}
	v.quiet(t, "overview")
}

// TestMapOfScatteredAddresses opens the map of a space that is a list of addresses, none beside another.
func TestMapOfScatteredAddresses(t *testing.T) {
	s, err := store.Open(filepath.Join(t.TempDir(), "scattered.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	first := netip.MustParseAddr("198.18.0.0").As4()
	var odd []netip.Addr
	for i := uint32(1); i < 1<<17; i += 2 {
		odd = append(odd, netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, binary.BigEndian.Uint32(first[:])+i))))
	}
	m := lab.Reference(1)
	if m.Space, err = probe.SpaceOfAddrs(odd...); err != nil {
		t.Fatal(err)
	}
	m.Hosts = nil
	sim, d := lab.NewSimulation(m, 1), outage.New(outage.Config{})
	r := sim.Round(probe.Full, m.Start, time.Minute, sim.Aims())
	if err := d.Put(r); err != nil {
		t.Fatal(err)
	}
	commit(t, s, d, &store.Commit{Findings: d.Advance(r.End), Sealed: []*probe.Round{r}})
	v := siteOf(t, s, r.End, false)
	v.do(t, chromedp.EmulateViewport(1280, 1400), chromedp.Navigate(v.url+"/"))
	v.until(t, shown)
	v.do(t, chromedp.Focus(chromedp.CSS("#map")), chromedp.KeyEvent(kb.ArrowRight))
	if says := ask[string](t, v, `document.getElementById("hover").textContent`); !strings.HasPrefix(says, "198.18.0.3: ") {
		t.Errorf("beside the first address stands %q", says)
	}
	v.quiet(t, "overview")
}

// TestLivePage hears what an agent tells, and says it.
func TestLivePage(t *testing.T) {
	v := openSite(t, true)
	v.do(t, chromedp.Navigate(v.url+"/"))
	v.until(t, shown)
	heard := make(chan struct{})
	go func() { // until the page listens, nobody hears
		defer close(heard)
		for !v.feed.Heard() && v.tab.Err() == nil {
			time.Sleep(time.Millisecond)
		}
	}()
	<-heard
	const anew = `document.querySelector(".hero").dataset.fresh === "true"`
	v.until(t, anew) // as the stream begins
	v.do(t, chromedp.Evaluate[chromedp.Void](`document.querySelector(".hero").dataset.fresh = "";0`))
	v.feed.Tell("status", web.Moment{Now: v.now.Add(5000), Judged: v.now, Blocks: []outage.BlockStatus{},
		Agent: &web.Agent{Round: &web.Progress{Sent: 77, Planned: 100}}})
	v.until(t, `document.getElementById("progress").textContent.startsWith("77\u00a0%")`)
	v.feed.Tell("round", web.RoundInfo{Kind: probe.Full})
	v.until(t, anew)
	v.quiet(t, "live")

	// The agent goes away while the page is read.
	v.do(t, chromedp.Evaluate[chromedp.Void](`document.querySelector(".hero").dataset.fresh = "";
		const read = fetch;
		window.fetch = (url, ...a) => url === location.href ? new Promise((go) => { window.goOn = go; }).then(() => read(url, ...a)) : read(url, ...a);0`))
	v.feed.Tell("round", web.RoundInfo{Kind: probe.Full})
	v.until(t, `!!window.goOn`)
	v.feed.Close()
	const lost = `!!document.getElementById("lost")`
	v.until(t, lost)
	v.do(t, chromedp.Evaluate[chromedp.Void](`goOn();0`))
	v.until(t, anew)
	if !ask[bool](t, v, lost) {
		t.Error("the page that was read last does not say that the agent is gone")
	}
}

// TestFiguresAsPNG draws one in the browser.
func TestFiguresAsPNG(t *testing.T) {
	v := openSite(t, false)
	v.do(t, chromedp.Navigate(v.url+v.views(t)["outage"]))
	v.until(t, shown)
	v.do(t, chromedp.Evaluate[chromedp.Void](`addEventListener("click", (e) => { if (e.target.href?.startsWith("blob:")) e.preventDefault(); }, true);
		[...document.querySelectorAll(".downloads a")].find((a) => a.textContent.includes("PNG")).click();0`))
	v.until(t, `[...document.querySelectorAll(".downloads a")].some((a) => a.href.startsWith("blob:") && a.download.endsWith(".png"))`)
	v.quiet(t, "outage")
}

// TestWithoutScripts reads the pages in a browser that runs none: words, tables and figures are there.
func TestWithoutScripts(t *testing.T) {
	v := openSite(t, false)
	if _, err := chromedp.Call(v.tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	views := v.views(t)
	for name, words := range map[string][]string{
		"overview": {"198.18.0.0/22 is", "expected responders answer", "since", "Would notice", "Latest outages"},
		"outages":  {"total", "Details", "CODF"},
		"outage":   {"none of the", "expected responders of 198.18.0.0/22 answered, until", "Before, during, after", "Rounds that show it"},
		"address":  {"usually answer", "By protocol", "Latest probes", "Outages that silenced it"},
	} {
		v.do(t, chromedp.EmulateViewport(1280, 4000), chromedp.Navigate(v.url+views[name]))
		text, err := chromedp.Run(v.tab, chromedp.Text(chromedp.CSS("main")))
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range words {
			if !strings.Contains(text, w) {
				t.Errorf("%s does not say %q:\n%s", name, w, text)
			}
		}
		html, err := chromedp.Run(v.tab, chromedp.OuterHTML(chromedp.CSS("main")))
		if n, want := strings.Count(html, "<img"), map[string]int{"overview": 2, "outages": 0, "outage": 4, "address": 1}[name]; err != nil || n != want {
			t.Errorf("%s has %d figures, want %d (%v)", name, n, want, err)
		}
		v.picture(t, name+"-without-scripts")
	}
}
