// Package lab is an address space of our own, in the benchmarking range 198.18.0.0/15 (RFC 2544), that answers probes as a
// scenario says: hosts, outages, filters, and the noise of a real path.
//
// A [Scenario] is a small TOML file; a [World] is what it comes to: one pure function, [World.Respond], of time, address,
// protocol and attempt. It is served in two ways. [Serve] answers real packets through a TUN device inside a network
// namespace (see [Namespace]), so that an unmodified prober, or any other tool, can measure it. Where no namespace or TUN
// device can be had, [OpenWire] answers in process, behind the sweeper's smallest seam; no socket is exercised then.
//
// Round trips, lateness and duplicates happen in real time. Only the scenario's timeline follows the [probe.Clock], which
// may be scaled. Packets leave neither the namespace nor the process. Scenarios hold IPv4 only.
package lab
