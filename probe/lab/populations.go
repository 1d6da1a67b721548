package lab

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"brownout/probe"
)

// SpaceOf2014 is the shape of the space that brownout was made for: four /24s.
const SpaceOf2014 = "198.18.0.0/22"

// ModelStart is when the models of this package begin.
const ModelStart probe.Instant = 1_388_534_400_000 // 2014-01-01

// Reference is the reference world: 13 hosts that nearly always answer, five that do so by 30 to 90 %, a block of three,
// and 13 that answer TCP only. Three in ten are off at night, each at its own time; once a month one moves; and what goes
// to them is lost in bursts.
func Reference(seed uint64) Model {
	const month = 30 * 24 * time.Hour
	p := newPeople(SpaceOf2014, seed)
	m := Model{
		Space: p.space, Start: ModelStart, Protocols: []probe.Protocol{probe.ICMP, probe.TCP(80), probe.DNS},
		HostLoss: Burst{Share: 0.02, Mean: time.Minute}, PathLoss: Burst{Share: 0.03, Mean: 3 * time.Second, Loss: 0.8},
	}
	both, ping, tcp := []probe.Protocol{probe.ICMP, probe.TCP(80)}, []probe.Protocol{probe.ICMP}, []probe.Protocol{probe.TCP(80)}
	for i := range 13 {
		by := both
		if i < 3 {
			by = m.Protocols
		}
		m.Hosts = append(m.Hosts, p.host("198.18.0.0/24", 0.995, by))
	}
	for range 5 {
		m.Hosts = append(m.Hosts, p.host("198.18.0.0/24", 0.3+0.6*p.rng.Float64(), ping))
	}
	for range 3 {
		m.Hosts = append(m.Hosts, p.host("198.18.2.0/24", 0.99, both))
	}
	for range 13 {
		m.Hosts = append(m.Hosts, p.host("198.18.0.0/24", 0.995, tcp))
	}
	for i := range m.Hosts {
		h := &m.Hosts[i]
		h.Stay = month * time.Duration(len(m.Hosts))
		if p.rng.Float64() < 0.3 {
			h.Night, h.Dusk = 8*time.Hour, time.Duration(p.rng.Int64N(int64(24*time.Hour)))
		}
	}
	return m
}

// Responders is a space of n hosts that answer echo requests: most nearly always, one in five by 30 to 90 %. Up to 18 are
// spread as in 2014, a sixth of them in a block of their own; more fill four /24s.
func Responders(n int, seed uint64) Model {
	p := newPeople(SpaceOf2014, seed)
	m := Model{
		Space: p.space, Start: ModelStart,
		HostLoss: Burst{Share: 0.02, Mean: time.Minute}, PathLoss: Burst{Share: 0.03, Mean: 3 * time.Second, Loss: 0.8},
	}
	for i := range n {
		a := 0.99
		if i%5 == 4 {
			a = 0.3 + 0.6*p.rng.Float64()
		}
		block := "198.18.0.0/24"
		switch {
		case n > 64:
			block = p.space.Groups(24)[i%4].Prefix.String()
		case i%6 == 5:
			block = "198.18.2.0/24"
		}
		m.Hosts = append(m.Hosts, p.host(block, a, []probe.Protocol{probe.ICMP}))
	}
	return m
}

// Sparse is n hosts of one /24 that answer 5 to 10 % of what they are asked: evidence that no single round has.
func Sparse(n int, seed uint64) Model {
	p := newPeople("198.18.0.0/24", seed)
	m := Model{Space: p.space, Start: ModelStart}
	for range n {
		m.Hosts = append(m.Hosts, p.host("198.18.0.0/24", 0.05+0.05*p.rng.Float64(), []probe.Protocol{probe.ICMP}))
	}
	return m
}

// Restless is a space of customers: n hosts of four /24s, each off for half of the time by spells of hours, each with a
// new address every few days.
func Restless(n int, seed uint64) Model {
	p := newPeople(SpaceOf2014, seed)
	m := Model{Space: p.space, Start: ModelStart, HostLoss: Burst{Share: 0.01, Mean: time.Minute}}
	for i := range n {
		h := p.host(p.space.Groups(24)[i%4].Prefix.String(), 0.4+0.5*p.rng.Float64(), []probe.Protocol{probe.ICMP})
		h.Spell, h.Stay = 4*time.Hour, 3*24*time.Hour
		m.Hosts = append(m.Hosts, h)
	}
	return m
}

// people hands out free addresses.
type people struct {
	rng   *rand.Rand
	space probe.Space
	taken map[netip.Addr]bool
}

func newPeople(space string, seed uint64) *people {
	s, err := probe.ParseSpace([]string{space}, nil)
	if err != nil {
		panic(err) // it is a constant
	}
	return &people{rng: rand.New(rand.NewPCG(seed, 3)), space: s, taken: map[netip.Addr]bool{}}
}

func (p *people) host(block string, availability float64, by []probe.Protocol) Inhabitant {
	home := netip.MustParsePrefix(block)
	first, _ := p.space.Index(home.Addr())
	a := p.space.Addr(first + p.rng.IntN(256))
	for p.taken[a] {
		a = p.space.Addr(first + p.rng.IntN(256))
	}
	p.taken[a] = true
	return Inhabitant{Address: a, Protocols: by, Availability: availability, RTT: time.Duration(170+p.rng.IntN(430)) * time.Millisecond}
}
