//go:build !unix || solaris || aix

package store

import (
	"os"
	"time"
)

// lock leaves locking to bbolt.
func lock(*os.File, bool, time.Duration) error { return nil }

func unlock(*os.File) {}

func holder(*os.File) string { return "" }
