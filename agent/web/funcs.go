package web

import (
	"fmt"
	"html/template"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"brownout/probe"
	"brownout/probe/outage"
)

// templates are read when the first page is asked for: most commands show none.
var templates = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").Funcs(pageFuncs).ParseFS(assets, "assets/*.html"))
})

var pageFuncs = template.FuncMap{
	"asset": assetURL, "path": url.PathEscape,
	"stamp": stampOf, "dayOf": dayStamp, "clock": clock, "lasting": lastingWords, "interval": intervalOf,
	"percent": percentWords, "count": countWords, "rtt": rttWords, "reason": reasonWords, "join": joinWords, "title": titled,
	"asked": askedWords, "is": isWords,
	"sentBy":    sentBy,
	"answering": func(b outage.BlockStatus) string { return answeringWords(&b) },
	"icon":      stateIcon, "meaning": meaning, "states": func() []outage.State { return allStates }, "bars": dayBars,
	"text":  func(v any) string { return fmt.Sprint(v) },
	"num":   func(t probe.Instant) int64 { return int64(t) },
	"sub":   func(a *probe.Instant, b probe.Instant) probe.Instant { return max(*a-b, 0) },
	"ms":    func(s outage.Seconds) probe.Instant { return probe.Instant(s) * 1000 },
	"share": func(a, b int) string { return percentWords(outage.Ratio(int64(a), int64(b))) },
	"deref": deref, "fig": func(url, alt string) drawing { return drawing{url, alt} }, "ranges": rangesOf, "rateURL": rateURL, "viewQuery": func(v view) template.URL { return template.URL(viewQuery(v)) }, // escaped already
	"decimal": func(d outage.Decimal) string { return strconv.FormatFloat(d.Float(), 'f', 1, 64) },
}

var allStates = []outage.State{outage.Up, outage.Partial, outage.Total, outage.Unknown, outage.Unobservable, outage.Learning}

// stampOf is stamp for a moment or a pointer to one.
func stampOf(v any) string {
	switch t := v.(type) {
	case probe.Instant:
		return stamp(t)
	case *probe.Instant:
		return stamp(*t)
	}
	return ""
}

func intervalOf(v any) string {
	switch i := v.(type) {
	case outage.Interval:
		return intervalWords(i)
	case *outage.Interval:
		return intervalWords(*i)
	}
	return ""
}

func deref(v any) any {
	switch p := v.(type) {
	case *uint8:
		return *p
	case *uint32:
		return *p
	}
	return v
}

// titled begins with a capital.
func titled(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// drawing is a figure in a page.
type drawing struct{ URL, Alt string }

// timeRange is a link to a length of time.
type timeRange struct {
	Name, URL string
	Chosen    bool
}

// rangesOf are the lengths of time that a view can be switched to.
func rangesOf(v view) []timeRange {
	var out []timeRange
	for _, r := range []struct {
		name string
		days int64
	}{{"24 h", 1}, {"7 d", 7}, {"90 d", 90}, {"1 year", 365}} {
		since := v.Observed.Add(-r.days * dayMS)
		one := view{Block: v.Block, Since: since, Until: v.Observed}
		out = append(out, timeRange{r.name, "/?" + viewQuery(one) + "#plots", v.Since == since && v.Until == v.Observed})
	}
	return out
}

func viewQuery(v view) string {
	return "block=" + escape(v.Block) + "&since=" + v.Since.String() + "&until=" + v.Until.String()
}

func rateURL(v view) string { return "/figures/rate.svg?" + viewQuery(v) }
