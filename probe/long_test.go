package probe

import "flag"

var long = flag.Bool("long", false, "measure and repeat as often as the project's figures are stated for")
