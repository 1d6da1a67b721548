package agent

import (
	"io"
	"strings"
	"time"

	"brownout/probe"
)

// liveOptions says what a live view shows and where.
type liveOptions struct {
	Title    string
	Space    probe.Space
	From, To probe.Instant // the timeline; To 0: it has no end, and the last day of it is shown
	Color    bool
	Terminal bool                    // w is one: frames are drawn over each other; else plain lines are written
	Size     func() (cols, rows int) // of the terminal; nil: 80 by 24
}

// liveView shows what an engine sees while it looks. It is not safe for concurrent use.
type liveView struct {
	w     io.Writer
	opt   liveOptions
	model *viewModel
	clock func() time.Time // real; for the frame rate and the speed

	drawn      time.Time // the latest frame
	last       []string  // its lines
	cols, rows int
	sped       time.Time // when the speed was last measured
	spedAt     probe.Instant
	told       int // log lines written, where w is no terminal
	hour       probe.Instant
}

const (
	frameEvery = 100 * time.Millisecond
	speedEvery = time.Second
)

func newLiveView(w io.Writer, o liveOptions) *liveView {
	if o.Size == nil {
		o.Size = func() (int, int) { return 80, 24 }
	}
	return &liveView{w: w, opt: o, model: newViewModel(o.Title, o.Space, o.From, o.To), clock: time.Now}
}

// show takes in what the engine sees, and draws it if the last frame is old enough.
func (v *liveView) show(e engineView) {
	v.model.take(e)
	if !v.opt.Terminal {
		v.tell()
		return
	}
	now := v.clock()
	if v.opt.To != 0 { // an agent that has no end runs on the real clock
		v.measure(now)
	}
	if now.Sub(v.drawn) >= frameEvery {
		v.drawn = now
		v.draw()
	}
}

// close draws what the last frame missed, and gives the terminal back with the cursor below it.
func (v *liveView) close() {
	if !v.opt.Terminal || v.drawn.IsZero() {
		return
	}
	v.draw()
	v.write("\r\n" + showCursor)
}

// measure learns how fast the engine's clock runs.
func (v *liveView) measure(now time.Time) {
	if v.sped.IsZero() {
		v.sped, v.spedAt = now, v.model.now
		return
	}
	passed := now.Sub(v.sped)
	if passed < speedEvery {
		return
	}
	v.model.speed = float64(v.model.now-v.spedAt) / float64(passed.Milliseconds())
	v.sped, v.spedAt = now, v.model.now
}

// What a terminal is told: ECMA-48, and the modes of DEC and xterm.
const (
	hideCursor = "\x1b[?25l"
	showCursor = "\x1b[?25h"
	noWrap     = "\x1b[?7l" // a glyph that a terminal draws wide must not break the frame
	wrap       = "\x1b[?7h"
	holdFrame  = "\x1b[?2026h" // draw at once when the frame is whole; terminals that cannot ignore it
	freeFrame  = "\x1b[?2026l"
	clearLine  = "\x1b[K"
	clearBelow = "\x1b[J"
	lineUp     = "\x1b[A"
	home       = "\x1b[H"
)

// draw puts a frame over the one before.
func (v *liveView) draw() {
	cols, rows := v.opt.Size()
	lines := layout(v.model, cols, rows, paint{v.opt.Color})
	var b strings.Builder
	b.WriteString(holdFrame + hideCursor + noWrap)
	switch {
	case v.last == nil:
	case cols != v.cols || rows != v.rows: // the old frame may have been wrapped: nobody knows where it begins
		b.WriteString(home + clearBelow)
	default:
		b.WriteString("\r" + strings.Repeat(lineUp, len(v.last)-1))
	}
	// Cleared before it is written: after a glyph in the last column the cursor still stands on it.
	b.WriteString(clearLine + strings.Join(lines, "\r\n"+clearLine))
	b.WriteString(wrap)
	if len(v.last) > len(lines) {
		b.WriteString("\r\n" + clearBelow + lineUp)
	}
	b.WriteString(freeFrame)
	v.last, v.cols, v.rows = lines, cols, rows
	v.write(b.String())
}

// tell writes what is new as plain lines: every transition, and a line an hour.
func (v *liveView) tell() {
	for _, l := range v.model.log.since(v.told) {
		v.write(l.At.String() + " " + l.oneLine() + "\n")
	}
	v.told = v.model.log.count
	const hour = 3600_000
	if h := v.model.now / hour; h != v.hour {
		v.hour = h
		v.write(v.model.now.String() + " " + v.model.headline() + "\n")
	}
}

// write ignores errors: a view that nobody can see is no reason to stop looking.
func (v *liveView) write(s string) { _, _ = io.WriteString(v.w, s) }
