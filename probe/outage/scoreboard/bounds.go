package main

import (
	"math"
	"slices"
)

// z bounds 95 % of a normal distribution.
const z = 1.959964

// share is how many of a number.
type share struct{ hits, of int }

func (s *share) add(hit bool) {
	s.of++
	if hit {
		s.hits++
	}
}

func (s share) plus(t share) share { return share{s.hits + t.hits, s.of + t.of} }

func (s share) rate() float64 { return float64(s.hits) / float64(s.of) }

// wilson is the score interval of a proportion at 95 % (Wilson, JASA 1927).
func (s share) wilson() (low, high float64) {
	if s.of == 0 {
		return 0, 1
	}
	n, p := float64(s.of), s.rate()
	middle := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return max(0, middle-half), min(1, middle+half)
}

// beyond is the chance below which a difference is one.
const beyond = 0.025 // to one side: the bound of 95 %

// exceeds reports whether a proportion is greater than another beyond the bound, by the exact test of Fisher: the chance
// that so many of all hits are the first's, if they are dealt out blindly.
func (s share) exceeds(t share) bool {
	chance := 0.0
	for k := s.hits; k <= min(s.of, s.hits+t.hits); k++ {
		chance += math.Exp(logChoose(s.of, k) + logChoose(t.of, s.hits+t.hits-k) - logChoose(s.of+t.of, s.hits+t.hits))
	}
	return s.of > 0 && t.of > 0 && chance <= beyond
}

// logChoose is the logarithm of the ways to take k of n; of none, minus infinity.
func logChoose(n, k int) float64 {
	if k < 0 || k > n {
		return math.Inf(-1)
	}
	all, _ := math.Lgamma(float64(n) + 1)
	taken, _ := math.Lgamma(float64(k) + 1)
	left, _ := math.Lgamma(float64(n-k) + 1)
	return all - taken - left
}

// garwood is the exact interval of a Poisson mean of which k was seen, at 95 % (Garwood, Biometrika 1936).
func garwood(k int) (low, high float64) {
	const tail = beyond
	if k > 0 {
		low = solve(k, func(mean float64) bool { return poissonUpTo(k-1, mean) < 1-tail })
	}
	return low, solve(k, func(mean float64) bool { return poissonUpTo(k, mean) < tail })
}

// solve is the least mean for which past holds; past must be monotone.
func solve(k int, past func(mean float64) bool) float64 {
	low, high := 0.0, 10+2*float64(k)+10*math.Sqrt(float64(k))
	for range 60 {
		if mean := (low + high) / 2; past(mean) {
			high = mean
		} else {
			low = mean
		}
	}
	return high
}

// poissonUpTo is the probability of k or fewer.
func poissonUpTo(k int, mean float64) float64 {
	sum := 0.0
	for i := range k + 1 {
		lg, _ := math.Lgamma(float64(i) + 1)
		sum += math.Exp(float64(i)*math.Log(mean) - mean - lg)
	}
	return sum
}

// binomialFrom is the probability of k or more of n that happen with p each.
func binomialFrom(k, n int, p float64) float64 {
	if p <= 0 {
		return 0
	}
	sum := 0.0
	for i := k; i <= n; i++ {
		sum += math.Exp(logChoose(n, i) + float64(i)*math.Log(p) + float64(n-i)*math.Log1p(-p))
	}
	return sum
}

// percentile is by nearest rank; NaN of nothing. It orders the values.
func percentile(values []float64, percent int) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	slices.Sort(values)
	rank := (len(values)*percent + 99) / 100
	return values[max(rank, 1)-1]
}
