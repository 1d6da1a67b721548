//go:build !linux

package probe

import (
	"fmt"
	"runtime"
)

func openDNS(*SweeperConfig, func(Arrival)) (Wire, error) {
	return nil, fmt.Errorf("open dns: %s has no wire for it: error queues and receive stamps are Linux's", runtime.GOOS)
}
