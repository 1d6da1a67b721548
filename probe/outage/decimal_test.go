package outage_test

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"brownout/probe/outage"
)

// A decimal is printed as the shortest number that it is, with at least one decimal.
func TestDecimalsAreShort(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		d := outage.Decimal(random.Int64N(1<<(1+random.IntN(40)))) - outage.Decimal(random.IntN(20_000))
		want := strconv.FormatFloat(d.Float(), 'f', -1, 64)
		if d%10_000 == 0 {
			want += ".0"
		}
		var back outage.Decimal
		if err := back.UnmarshalJSON([]byte(d.String())); d.String() != want || err != nil || back != d {
			t.Fatalf("%d ten-thousandths: %s, want %s; read again: %d, %v", int64(d), d, want, int64(back), err)
		}
	}
}
