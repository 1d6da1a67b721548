package probe

// ICMPBuffer is the receive buffer that an ICMP socket is granted on this machine.
type ICMPBuffer struct {
	Replies int  // that it holds unread
	Most    int  // that the largest we ask for would hold
	Forced  bool // CAP_NET_ADMIN: whatever net.core.rmem_max permits to others
}

// MostInFlight is how many packets an unpaced sweep lets be on their way to targets and back at most.
const MostInFlight = floodTopWindow
