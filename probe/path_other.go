//go:build !linux

package probe

import (
	"errors"
	"net/netip"
	"time"
)

// path knows nothing of this system's interfaces and routes.
type path struct{}

type hop struct {
	local  bool
	router netip.Addr
}

func (*hop) unanswerable() bool { return false }

func openPath([]netip.Addr, time.Duration) (*path, error) { return nil, nil }

func (*path) close()                                 {}
func (*path) look() (down, moved bool)               { return false, false }
func (*path) cutOff(netip.Addr) bool                 { return false }
func (*path) absent(netip.Addr) (absent, known bool) { return false, false }
func (*path) idle() bool                             { return false }
func (*path) isLocal(netip.Addr) bool                { return false }
func (*path) hop(netip.Addr) (hop, error)            { return hop{}, errors.ErrUnsupported }

func (*path) missing(func(netip.Addr) bool) {}
func (*path) leadsBy(_, _ netip.Addr) bool  { return false }
