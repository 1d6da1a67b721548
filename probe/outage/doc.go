// Package outage tells total outages of an address space from partial ones, and both from what is no outage, by the
// response rate of the addresses that normally answer.
//
// A [Detector] consumes the observations of rounds in order of time and says what each block's state was: the whole
// space, and every /24 in it. It is pure: no I/O, no goroutine, no clock, and integers wherever a number decides (where
// floats do, no product and sum of theirs is fused), so that the same rounds give the same verdicts, to the byte, online,
// after a restart, in a replay and on every machine.
//
// The method is sequential: each observation adds its logarithmic odds against "up" (Wald's sequential test, 1945; Page's
// CUSUM, 1954), nothing is decided until the odds are reached, and states are then corrected backwards to when it began.
//
//   - What is usual is learned, with forgetting, while a block is up: each service's availability, as Trinocular learns a
//     /24's (Quan, Heidemann & Pradkin, SIGCOMM 2013), as a chain of two states, so that a host that is silent for hours
//     every night is no news by its second silent probe; and each host's season over the day.
//   - Loss comes in bursts. The way that all probes share is a hidden chain that is filtered forward through them (Gilbert,
//     1960; Elliott, 1963; Baum et al., 1970): many silences in a few seconds are one piece of news.
//   - A block is total when all that usually answers is silent; only once every usual address has been asked since, as Full
//     Block Scanning does for sparse blocks (Baltra & Heidemann, PAM 2020).
//   - It is partial when prefixes are dark while the rest lives, when a share of the hosts fell silent at one moment and
//     has been since (the correlated dropouts of ThunderPing, Schulman & Spring, IMC 2011, and Padmanabhan et al., PAM
//     2019, weighed host by host), or when every probe is lost more often than it was.
//   - What one protocol suffers alone is filtering, what rises with our own rate is a rate limit (Guo & Heidemann, PAM 2018),
//     as many addresses lit as fell silent is a move (Richter et al., IMC 2018): none of these is an outage.
//   - Starts and ends are intervals around a change point (Hinkley, Biometrika 1970): of totals 200:1 that the truth is inside,
//     and its posterior mean.
//
// The package reports what was observed. It names no cause and no culprit.
package outage
