//go:build !linux

package probe

import (
	"fmt"
	"runtime"
)

func openTCP(*SweeperConfig, func(Arrival)) (Wire, error) {
	return nil, fmt.Errorf("open tcp: %s has no wire for it: epoll and error queues are Linux's", runtime.GOOS)
}
