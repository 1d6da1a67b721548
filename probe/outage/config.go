package outage

import "brownout/probe"

// Config says what a Detector judges. The zero value of every field but Space is useful.
type Config struct {
	Space     probe.Space // rounds of other spaces are an error only where they share nothing with it; empty: that of the first round
	BlockBits int         // prefix length of the IPv4 blocks judged beside the whole; 0: 24
}
