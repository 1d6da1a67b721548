package lab

import (
	"fmt"
	"os"
)

// Run is a TestMain's work for tests that need a lab of real packets: it runs them inside a network namespace, or, where
// none can be had, where they are, and says so; they then see [Inside] report false. It returns the exit code.
func Run(tests interface{ Run() int }) int {
	inside, code, err := Namespace()
	if err != nil {
		fmt.Fprintf(os.Stderr, "no network namespace for the tests: %v\n", err)
	}
	if inside || err != nil {
		return tests.Run()
	}
	return code
}
