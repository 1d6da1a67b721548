package outage

// Config says how a Detector judges. Its zero value is useful. What is judged, the space, comes with the rounds.
type Config struct {
	BlockBits int // prefix length of the IPv4 blocks judged beside the whole; 0: 24
}
