package probe

import "flag"

var long = flag.Bool("long", false, "measure and repeat as often as the project's figures are stated for")

// times is a number of runs: few, or many with -long.
func times(few, many int) int {
	if *long {
		return many
	}
	return few
}
