package web

import (
	"math/bits"
	"net/netip"
	"strconv"

	"brownout/probe"
)

// mapLayout says where each address of a space stands on the map. A prefix of 4^k addresses is one Hilbert curve (as Munroe's map
// of the Internet, 2006), so that every shorter prefix of an even number of bits is a square. Other spaces are /24s, a square each, in rows; a
// space of many scattered addresses is one curve in the order of its addresses. page.js lays out the same.
type mapLayout struct {
	width, height int // cells
	labels        []mapLabel
	at            func(i int) (x, y int)
}

type mapLabel struct {
	x, y int
	side float64 // of its square, in cells
	text string
}

const (
	tileSide  = 16  // of a /24
	mostTiles = 256 // of a map in /24s
)

func layoutOf(s probe.Space) mapLayout {
	n := s.Len()
	if p := s.Prefixes(); len(p) == 1 && bits.OnesCount(uint(n)) == 1 && bits.TrailingZeros(uint(n))%2 == 0 {
		return curveLayout(s, n)
	}
	groups := s.Groups(24)
	if n > 0 && s.Addr(n-1).Is4() && len(groups) <= mostTiles {
		return tileLayout(s, groups)
	}
	return curveLayout(s, n)
}

// curveLayout is one curve.
func curveLayout(s probe.Space, n int) mapLayout {
	order := (bits.Len(uint(max(n-1, 0))) + 1) / 2
	l := mapLayout{width: 1 << order, height: 1 << order}
	l.at = func(i int) (int, int) { return hilbert(order, i) }
	if n == 1<<(2*order) && order > 4 && order <= 7 && len(s.Prefixes()) == 1 {
		for _, g := range s.Groups(24) {
			x, y := corner(l, g.From, g.To)
			l.labels = append(l.labels, mapLabel{x, y, tileSide, shortPrefix(g.Prefix)})
		}
	}
	return l
}

// corner is the upper left corner of a square of the curve.
func corner(l mapLayout, from, to int) (x, y int) {
	x, y = l.at(from)
	for i := from; i < to; i++ {
		cx, cy := l.at(i)
		x, y = min(x, cx), min(y, cy)
	}
	return x, y
}

// shortPrefix is what tells a /24 from its neighbours: ".176".
func shortPrefix(p netip.Prefix) string {
	if !p.Addr().Is4() {
		return p.String()
	}
	b := p.Addr().As4()
	return "." + strconv.Itoa(int(b[2]))
}

func tileLayout(s probe.Space, groups []probe.Group) mapLayout {
	across := 1
	for across*across < len(groups) {
		across++
	}
	down := (len(groups) + across - 1) / across
	l := mapLayout{width: across * tileSide, height: down * tileSide}
	tile := make([]int, s.Len())
	for k, g := range groups {
		for i := g.From; i < g.To; i++ {
			tile[i] = k
		}
		l.labels = append(l.labels, mapLabel{k % across * tileSide, k / across * tileSide, tileSide, shortPrefix(g.Prefix)})
	}
	l.at = func(i int) (int, int) {
		last := s.Addr(i).As4()[3]
		x, y := hilbert(4, int(last))
		return tile[i]%across*tileSide + x, tile[i]/across*tileSide + y
	}
	return l
}

// hilbert is the place of the ith cell of a curve of 4^order cells.
func hilbert(order, i int) (x, y int) {
	for s := 1; s < 1<<order; s *= 2 {
		rx := 1 & (i / 2)
		ry := 1 & (i ^ rx)
		if ry == 0 {
			if rx == 1 {
				x, y = s-1-x, s-1-y
			}
			x, y = y, x
		}
		x, y = x+s*rx, y+s*ry
		i /= 4
	}
	return x, y
}
