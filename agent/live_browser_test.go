package agent

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"brownout/agent/testkit"
)

// inPage is what the page of an agent is asked: the state's word, the latest round's share of the plot, and whether the map
// has cells of a colour.
const inPage = `
window.untouched = true;
window.word = () => document.querySelector(".hero em").textContent;
window.percent = () => +(document.getElementById("legend").textContent.match(/expected \((\d+)\s%\)/)?.[1] ?? -1);
window.shows = (color) => {
	const map = document.getElementById("map"), ink = document.createElement("canvas").getContext("2d");
	ink.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(color).trim();
	ink.fillRect(0, 0, 1, 1);
	const want = ink.getImageData(0, 0, 1, 1).data;
	const cells = map.getContext("2d").getImageData(0, 0, map.width, map.height).data;
	for (let i = 0; i < cells.length; i += 4) if (want.every((v, k) => cells[i + k] === v)) return true;
	return false;
};0`

// TestPageFollowsAnAgent has a browser look at the page of an agent that measures: without being loaded again, the page goes
// dark with the space and comes back with it, in words, plot and map, and says so when the agent is gone.
func TestPageFollowsAnAgent(t *testing.T) {
	t.Parallel()
	scenario, err := readScenario("steady")
	if err != nil {
		t.Fatal(err)
	}
	scenario.Demo.Round = 5 * time.Minute // half a second, on that clock
	tab := testkit.Browser(t, 3*time.Minute)
	var dark atomic.Bool
	e, live, server := agentIn(t, scenario, &dark)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.run(ctx) }()
	stop := func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		live.feed.Close()
	}
	defer func() { stop() }()

	if err := chromedp.Do(tab, chromedp.Navigate(server.URL), chromedp.Evaluate[chromedp.Void](inPage)); err != nil {
		t.Fatal(err)
	}
	until := func(expression string) {
		t.Helper()
		if _, err := chromedp.Run(tab, chromedp.Poll[bool]("!!(window.untouched && "+expression+")", chromedp.WithPollingTimeout(0))); err != nil {
			says, _ := chromedp.Run(tab, chromedp.Text(chromedp.CSS("main")))
			t.Fatalf("it never came to be that %s: %v\n%s", expression, err, says)
		}
	}
	until(`word() === "up" && percent() > 60 && shows("--answers") && !document.getElementById("ongoing")`)
	dark.Store(true) // for as long as the page takes
	until(`word() === "total" && percent() === 0 && !shows("--answers") && shows("--missing") && document.getElementById("ongoing")`)
	dark.Store(false)
	until(`word() === "up" && percent() > 60 && shows("--answers") && !document.getElementById("ongoing")`)
	stop()
	stop = func() {}
	until(`document.getElementById("lost")?.textContent.includes("cannot be heard")`)
}
