// Command bench sets brownout's sweep beside other probers in one run, alternating, on real packets.
//
//	go run ./probe/bench                  # root; a /22 and a /16; ICMP, TCP and DNS
//	go run ./probe/bench -spaces 22 -protocols icmp -runs 9
//
// It makes two network namespaces with a veth pair between them and no way out. The far kernel owns the whole space, so
// that every address of it answers echo requests, connects to port 80 and a DNS server; what is found of what is there is
// therefore known. Each prober runs as its users run it, with the fastest settings of those tried at which it still finds
// what it can; where fast and complete exclude each other, it stands twice.
//
// Of a small space the start of a program costs more than its probes, and an agent starts once for years of rounds. So by ICMP
// the smallest space is also swept again and again by one process each: by the engine as the agent keeps it, by fping -C,
// and by zmap -P, which tells of the probes to an address only whether one was answered.
//
// The tables say, a prober: the worst count of responders found in all runs, the median wall time of the whole process, the
// CPU seconds (user and system) per 100,000 probes, and the peak of resident memory. The far kernel answers on the CPU
// time of whoever sends, which is the same for all. blackbox_exporter and the one-pinger-a-host program are asked on the
// smallest space only, which is all they are made for.
package main
