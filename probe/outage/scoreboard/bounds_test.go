package main

import (
	"math"
	"testing"
)

func near3(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 0.0005 {
		t.Errorf("%s = %.4f, want %.4f", what, got, want)
	}
}

// TestWilson compares with the table of Newcombe, Statistics in Medicine 17 (1998), page 861, method 3.
func TestWilson(t *testing.T) {
	for _, c := range []struct {
		of        share
		low, high float64
	}{
		{share{81, 263}, 0.2553, 0.3662}, {share{15, 148}, 0.0624, 0.1605}, {share{0, 20}, 0, 0.1611}, {share{1, 29}, 0.0061, 0.1718},
		{share{0, 0}, 0, 1},
	} {
		low, high := c.of.wilson()
		near3(t, "low", low, c.low)
		near3(t, "high", high, c.high)
	}
}

// TestExceeds has Fisher's own example, the tea (3 of 4 against 1 of 4: 0.2429; 4 against 0: 0.0143), and others.
func TestExceeds(t *testing.T) {
	for _, c := range []struct {
		a, b share
		want bool
	}{
		{share{3, 4}, share{1, 4}, false}, {share{4, 4}, share{0, 4}, true}, {share{0, 4}, share{4, 4}, false},
		{share{2, 2}, share{0, 2}, false}, {share{56, 70}, share{48, 80}, true}, {share{48, 80}, share{56, 70}, false},
		{share{0, 0}, share{0, 9}, false}, {share{5, 9}, share{5, 9}, false}, {share{1000, 1000}, share{990, 1000}, true},
	} {
		if got := c.a.exceeds(c.b); got != c.want {
			t.Errorf("%v exceeds %v: %v", c.a, c.b, got)
		}
	}
}

// TestGarwood compares with the published table of exact Poisson limits.
func TestGarwood(t *testing.T) {
	for _, c := range []struct {
		k         int
		low, high float64
	}{{0, 0, 3.6889}, {1, 0.0253, 5.5716}, {4, 1.0899, 10.2416}, {10, 4.7954, 18.3904}, {100, 81.3640, 121.6271}} {
		low, high := garwood(c.k)
		near3(t, "low", low, c.low)
		near3(t, "high", high, c.high)
	}
	if low, high := garwood(3000); low < 2890 || low > 2895 || high < 3105 || high > 3112 {
		t.Errorf("of 3000: %v to %v", low, high)
	}
}

func TestBinomial(t *testing.T) {
	near3(t, "3 or more of 5 by 0.5", binomialFrom(3, 5, 0.5), 0.5)
	near3(t, "1 or more of 3 by 0.1", binomialFrom(1, 3, 0.1), 0.271)
	near3(t, "0 or more", binomialFrom(0, 3, 0.1), 1)
}

func TestPercentile(t *testing.T) {
	values := []float64{4, 1, 3, 2}
	for percent, want := range map[int]float64{50: 2, 99: 4, 1: 1} {
		if got := percentile(values, percent); got != want {
			t.Errorf("%d %%: %v, want %v", percent, got, want)
		}
	}
	if !math.IsNaN(percentile(nil, 50)) {
		t.Error("of nothing it is not NaN")
	}
}
