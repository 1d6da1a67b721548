package notify

import (
	"math/rand/v2"
	"time"
)

// backoff is the latest wait after a failure; 0: there was none.
type backoff time.Duration

// next is how long to wait now: twice as long each time, a fifth more or less, so that many do not come back as one.
func (b *backoff) next() time.Duration {
	*b = backoff(min(max(firstWait, 2*time.Duration(*b)), longestWait))
	fifth := int64(*b) / 5
	return time.Duration(*b) - time.Duration(fifth) + time.Duration(rand.Int64N(2*fifth))
}
