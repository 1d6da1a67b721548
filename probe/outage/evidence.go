package outage

import "math/bits"

// Evidence is counted in micro-nats, millionths of a natural logarithm of odds, and probabilities in millionths: integers,
// so that every machine decides alike.

const million = 1_000_000

// The odds that decide, as micro-nats of likelihood against "up". Every block is looked at with every observation, for
// years: the odds make up for a prior that says so.
var (
	certain       = weight(1_000)                      // 1,000:1: silence is all but certain
	suspect       = weight(20_000)                     // 50:1: a few expected replies are missing, which a confirmation costs little to settle
	bounded       = weight(5_000)                      // 200:1: how sure it is that an interval holds its instant
	enough        = 3 * weight(10_000)                 // 1e6:1: a partial outage, which must last besides; what an observable block can show
	enoughOfBlock = 2*weight(10_000) + weight(100_000) // 1e5:1: the same of a block of its own that is dark while others live
	decisive      = 4 * weight(10_000)                 // 1e8:1: a total outage
)

// weight is -ln(p), of a probability in millionths, in micro-nats.
func weight(ppm int64) int64 {
	return (log2(million) - log2(uint64(max(ppm, 1)))) * microLn2 >> logBits
}

const (
	logBits  = 20
	microLn2 = 693147
)

// log2 is the binary logarithm of x >= 1 in units of 2^-20, interpolated between the 1,024ths of an octave.
func log2(x uint64) int64 {
	whole := bits.Len64(x) - 1
	m := x << (63 - whole) << 1 // the fraction, of 2^64
	i, rest := m>>(64-tableBits), int64(m<<tableBits>>(64-logBits))
	return int64(whole)<<logBits + logs[i] + (logs[i+1]-logs[i])*rest>>logBits
}

const tableBits = 10

// logs is the logarithms of 1 + i/1024.
var logs = func() (t [1<<tableBits + 1]int64) {
	for i := range t {
		t[i] = slowLog2(1<<tableBits+uint64(i)) - tableBits<<logBits
	}
	return t
}()

// slowLog2 is the same by repeated squaring.
func slowLog2(x uint64) int64 {
	whole := bits.Len64(x) - 1
	m := x << (63 - whole) >> 32 // in [2^31, 2^32)
	out := int64(whole) << logBits
	for bit := int64(1) << (logBits - 1); bit > 0; bit >>= 1 {
		if m = m * m >> 31; m >= 1<<32 {
			m >>= 1
			out += bit
		}
	}
	return out
}

// decay is 2^(-age/half) in millionths, linear between the powers.
func decay(age, half int64) int64 {
	age = max(age, 0)
	n := age / half
	if n >= 20 {
		return 0
	}
	at := int64(million) >> n
	return at - at*(age%half)/(2*half)
}

// Correlated loss, in milliseconds: a silence soon after another one is little news.
const (
	hostBurst     = 41_589         // half-life of a burst of loss on a host's own path: mean 60 s
	leastSilence  = 10_000         // no single silence is rarer than 1 % while its block is up
	mostSilence   = 999_000        // nor more certain than this
	forgetting    = 512            // rounds: the memory of a service's availability
	counted       = int64(1) << 16 // one observation in the fixed-point counts
	learnedRounds = 12
)
