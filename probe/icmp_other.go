//go:build !linux

package probe

import (
	"fmt"
	"runtime"
)

var errICMPSystem = fmt.Errorf("open icmp socket: %s is not supported, only linux is", runtime.GOOS)

func openICMP(*SweeperConfig, func(Arrival)) (Wire, error) { return nil, errICMPSystem }

// ICMPReceiveBuffer fails: there is no socket.
func ICMPReceiveBuffer() (ICMPBuffer, error) { return ICMPBuffer{}, errICMPSystem }

// ICMPModes says which kinds of ICMP socket can be had here: none.
func ICMPModes() []ICMPSupport {
	var modes []ICMPSupport
	for _, mode := range []ICMPMode{ICMPRaw, ICMPDatagram} {
		modes = append(modes, ICMPSupport{mode, false, errICMPSystem}, ICMPSupport{mode, true, errICMPSystem})
	}
	return modes
}
