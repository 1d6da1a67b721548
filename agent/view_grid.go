package agent

import (
	"fmt"
	"strings"
)

// grid is how the addresses of a space are laid out: in order, row by row.
type grid struct {
	across int  // cells in a row
	down   int  // rows of cells
	size   int  // addresses a cell
	wide   bool // a cell is two columns of a line; else half a line, two cells above each other in half blocks
}

const (
	mostCells = 1024
	square    = 32 // cells in a row of a large grid
)

// gridFor is the grid that fits into cols by lines, the wide one if it does.
func gridFor(h *hostMap, cols, lines int) grid {
	n := h.space.Len()
	g := grid{across: square, size: max((n+mostCells-1)/mostCells, 1)}
	for g.size&(g.size-1) != 0 {
		g.size++ // so that a cell is a prefix where the space is one
	}
	cells := (n + g.size - 1) / g.size
	if cells <= 256 {
		g.across = square / 2
	}
	g.down = (cells + g.across - 1) / g.across
	switch {
	case n == 0:
		return grid{}
	case 2*g.across <= cols && g.down <= lines:
		g.wide = true
	case g.across > cols || (g.down+1)/2 > lines:
		return grid{}
	}
	return g
}

// none reports whether there is no room for a grid.
func (g grid) none() bool { return g.across == 0 }

func (g grid) width() int {
	if g.wide {
		return 2 * g.across
	}
	return g.across
}

// draw is the grid in lines that begin with the blocks' labels, and the legend with how many addresses are of each kind.
func (g grid) draw(h *hostMap, color bool) (rows []row, legend row) {
	cells, count := h.cells(g.size)
	perLine := 2
	if g.wide {
		perLine = 1
	}
	for y := 0; y < g.down; y += perLine {
		r := styled(fmt.Sprintf("%-*s", margin, g.label(h, y, perLine)), faint)
		for x := range g.across {
			top, odd := g.at(cells, x, y), g.band(h, x, y)
			if g.wide {
				r = append(r, top.wide(color, odd))
			} else {
				r = append(r, half(top, g.at(cells, x, y+1), color, odd, g.band(h, x, y+1)))
			}
		}
		rows = append(rows, r)
	}
	return rows, g.legend(count, color)
}

// at is a cell; beyond the last it is unsent.
func (g grid) at(cells []cell, x, y int) cell {
	if i := y*g.across + x; i < len(cells) {
		return cells[i]
	}
	return cellUnsent
}

// band reports whether a cell is in an odd block, which is a little lighter so that blocks can be told apart.
func (g grid) band(h *hostMap, x, y int) bool {
	i := (y*g.across + x) * g.size
	for k, b := range h.groups {
		if i < b.To {
			return k%2 == 1
		}
	}
	return false
}

// label names the block that begins in a line: by its third byte where the others are the same.
func (g grid) label(h *hostMap, y, lines int) string {
	if len(h.groups) < 2 {
		return ""
	}
	from, to := y*g.across*g.size, (y+lines)*g.across*g.size
	for _, b := range h.groups {
		if b.From >= from && b.From < to && b.Prefix.Addr().Is4() {
			return fmt.Sprintf(".%d", b.Prefix.Addr().As4()[2])
		}
	}
	return ""
}

// kindLook is how a kind of cell is drawn: a colour, two glyphs where there is room, and its word in the legend.
type kindLook struct {
	color  uint8
	glyphs string
	word   string
}

var kindLooks = [cellKinds]kindLook{
	cellUnsent:  {232, "  ", "not asked"},
	cellQuiet:   {235, "··", "quiet"},
	cellOne:     {67, "▒▒", "one"},
	cellTwo:     {144, "▓▓", "two"},
	cellMore:    {227, "██", "three+"},
	cellMissing: {202, "××", "missing"},
}

const bandStep = 1 // from a quiet cell's gray to that of an odd block

func (c cell) shade(odd bool) uint8 {
	if odd && c == cellQuiet {
		return kindLooks[c].color + bandStep
	}
	return kindLooks[c].color
}

// wide is a cell of two columns.
func (c cell) wide(color, odd bool) span {
	k := kindLooks[c]
	switch {
	case !color:
		return span{k.glyphs, unstyled}
	case c == cellMissing:
		return span{k.glyphs, style{fg: 232, bg: k.color, bold: true}}
	}
	return span{"██", style{fg: c.shade(odd)}}
}

// half is two cells above each other.
func half(top, bottom cell, color, oddTop, oddBottom bool) span {
	if color {
		return span{"▀", style{fg: top.shade(oddTop), bg: bottom.shade(oddBottom)}}
	}
	lit := func(c cell) bool { return c >= cellOne && c <= cellMore }
	switch {
	case top == cellMissing || bottom == cellMissing:
		return span{"×", unstyled}
	case lit(top) && lit(bottom):
		return span{"█", unstyled}
	case lit(top):
		return span{"▀", unstyled}
	case lit(bottom):
		return span{"▄", unstyled}
	case top == cellQuiet || bottom == cellQuiet:
		return span{"·", unstyled}
	}
	return span{" ", unstyled}
}

// legend explains the cells, and says how many addresses are of each kind.
func (g grid) legend(count [cellKinds]int, color bool) row {
	r := words(strings.Repeat(" ", margin))
	if !color && !g.wide {
		answer := count[cellOne] + count[cellTwo] + count[cellMore]
		return r.with(words(fmt.Sprintf("▀▄█ %s answer  × %s missing  · %s quiet", thousands(answer), thousands(count[cellMissing]), thousands(count[cellQuiet]))))
	}
	r = r.with(styled("answer by ", faint))
	for _, c := range []cell{cellOne, cellTwo, cellMore, cellMissing, cellQuiet} {
		swatch := c.wide(color, false)
		if !g.wide {
			swatch = span{"█", style{fg: kindLooks[c].color}}
		}
		r = append(r, swatch, span{fmt.Sprintf(" %s %s  ", thousands(count[c]), kindLooks[c].word), unstyled})
	}
	if g.size > 1 {
		r = r.with(styled(fmt.Sprintf("a cell is %s addresses", thousands(g.size)), faint))
	}
	return r
}
