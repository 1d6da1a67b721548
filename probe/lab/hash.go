package lab

import "math/bits"

// chance is a probability in units of 2^-53: decisions are integer comparisons, alike on every machine.
type chance uint64

// chanceOf converts a probability of 0 to 1.
func chanceOf(p float64) chance { return chance(p * (1 << 53)) }

// dice is a hash from which independent draws are made, one for each purpose.
type dice uint64

// purpose sets draws from one another.
type purpose uint64

const (
	forLoss purpose = iota + 1
	forPhaseLoss
	forDuplicate
	forLate
	forCorruption
	forForgery
	forForgeryKind
	forUnreachable
	forJitter
	forSpell
	forPhase
	forAddress
)

// roll is the dice of a purpose.
func (d dice) roll(p purpose) uint64 { return mix(uint64(d) ^ uint64(p)<<56) }

// hits reports whether an event of probability c takes place.
func (d dice) hits(p purpose, c chance) bool { return d.roll(p)>>11 < uint64(c) }

// below draws evenly from [0, n); 0 where n is 0.
func (d dice) below(p purpose, n uint64) uint64 {
	hi, _ := bits.Mul64(d.roll(p), n)
	return hi
}

// with folds a value into the dice.
func (d dice) with(x uint64) dice { return dice(mix(uint64(d) ^ x)) }

// mix is the finaliser of SplitMix64 (Steele, Lea & Flood, OOPSLA 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
