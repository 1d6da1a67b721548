// Package outage tells total outages of an address space from partial ones, and both from what is no outage, by the
// response rate of the addresses that normally answer.
//
// A [Detector] consumes the observations of rounds in order of time and says what each block's state was: the whole
// space, and every /24 in it. It is pure: no I/O, no goroutine, no clock, and integers wherever a number decides, so that
// the same rounds give the same verdicts, to the byte, online, after a restart, in a replay and on every machine.
//
// The method is sequential. Each service's availability is learned, with forgetting, while its block is up, as it was in
// Trinocular (Quan, Heidemann & Pradkin, SIGCOMM 2013), but per service rather than per /24, and as a chain of two
// states, so that a host that is silent for hours every night is not news by its second silent probe. Each silence adds
// its logarithmic odds against "up" (Wald's sequential test, 1945; Page's CUSUM, 1954, for partial loss), and nothing is
// decided until the odds are reached; states are then corrected backwards to the moment the silence began.
//
// The package reports what was observed. It names no cause and no culprit.
package outage
