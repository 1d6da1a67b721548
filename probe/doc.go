// Package probe sweeps every address of a small target space by ICMP echo (RFC 792, RFC 4443), TCP connect (RFC 9293)
// and DNS over UDP (RFC 1035), and says of every single probe what became of it.
//
// A [Space] is the ordered set of target addresses, a [Plan] says when each (address, protocol) of a round is probed, a
// [Sweeper] probes, and a [Round] is what a sweep observed: the unit that is stored, exported, replayed and judged.
//
// A probe that was never sent is [Unsent], never silence of its target: a prober that loses its own packets reports
// outages that never were. The package knows no disk, no HTTP and no configuration file.
package probe
