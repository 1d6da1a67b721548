package probe

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Protocol is how an address is asked for life: ICMP, TCP to a port, or DNS. The zero value is none.
type Protocol struct {
	kind protocolKind
	port uint16
}

type protocolKind uint8

const (
	kindICMP protocolKind = iota + 1
	kindTCP
	kindDNS
)

// ICMP is an echo request of the address's own family: RFC 792 or RFC 4443.
var ICMP = Protocol{kind: kindICMP}

// DNS is a question over UDP port 53; any response code is an answer.
var DNS = Protocol{kind: kindDNS, port: 53}

// TCP is a connection attempt to port, which must not be 0.
func TCP(port uint16) Protocol { return Protocol{kind: kindTCP, port: port} }

// ParseProtocol reads "icmp", "tcp/PORT" or "dns".
func ParseProtocol(s string) (Protocol, error) {
	switch s {
	case "icmp":
		return ICMP, nil
	case "dns":
		return DNS, nil
	}
	if digits, ok := strings.CutPrefix(s, "tcp/"); ok {
		if port, err := strconv.ParseUint(digits, 10, 16); err == nil && port > 0 {
			return TCP(uint16(port)), nil
		}
	}
	return Protocol{}, fmt.Errorf("protocol %q is none of icmp, tcp/PORT (1-65535), dns", s)
}

// IsICMP reports whether p is [ICMP].
func (p Protocol) IsICMP() bool { return p.kind == kindICMP }

// IsTCP reports whether p is a TCP port.
func (p Protocol) IsTCP() bool { return p.kind == kindTCP }

// IsDNS reports whether p is [DNS].
func (p Protocol) IsDNS() bool { return p.kind == kindDNS }

// Port is the destination port; 0 for ICMP.
func (p Protocol) Port() uint16 { return p.port }

// Code packs p into 32 bits for keys and codecs; [ProtocolOf] unpacks it.
func (p Protocol) Code() uint32 { return uint32(p.kind)<<16 | uint32(p.port) }

// ProtocolOf is the protocol that [Protocol.Code] packed, or an error where none packs so.
func ProtocolOf(code uint32) (Protocol, error) {
	p := Protocol{kind: protocolKind(code >> 16), port: uint16(code)}
	if p == ICMP || p == DNS || p.kind == kindTCP && p.port > 0 && code>>24 == 0 {
		return p, nil
	}
	return Protocol{}, fmt.Errorf("protocol code %#x is none of ours", code)
}

// Compare orders ICMP before TCP by port before DNS.
func (p Protocol) Compare(q Protocol) int { return cmp.Compare(p.Code(), q.Code()) }

func (p Protocol) String() string {
	switch p.kind {
	case kindICMP:
		return "icmp"
	case kindTCP:
		return "tcp/" + strconv.Itoa(int(p.port))
	case kindDNS:
		return "dns"
	}
	return "none"
}

// MarshalText writes the form that [ParseProtocol] reads.
func (p Protocol) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads the form of [ParseProtocol].
func (p *Protocol) UnmarshalText(b []byte) error {
	q, err := ParseProtocol(string(b))
	if err == nil {
		*p = q
	}
	return err
}
