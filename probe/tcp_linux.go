package probe

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// tcpWire asks by non-blocking connects, one descriptor an attempt, all on one goroutine's epoll. A SYN-ACK is answered
// with RST, and not first with ACK, so that the target's program never sees a connection and no side keeps state.
//
// It takes as many attempts at once as there are descriptors. One that is silent keeps its own until it is forgotten, until
// the kernel gives up, or until others need it and it has outlived the timeout. The kernel gives up, and then misses a
// later SYN-ACK, after about the timeout, and not before its first retransmission at one second; see [tcpWire.prepare].
//
// connect does not tell of a SYN that our own firewall, full queue or full neighbour table dropped; see [tcpConn.unsent].
type tcpWire struct {
	sink    func(Arrival)
	timeout time.Duration
	poller  *poller

	mu       sync.Mutex // guards what follows
	conns    []tcpConn
	free     []int32 // slots of conns
	byTicket map[Ticket]int32
	ages     ageList
	kept     map[Ticket]bool // attempts that gave up their slots and had not left
	refusals refusals
	closed   bool
}

// tcpConn is a slot: an attempt and its descriptor, or free.
type tcpConn struct {
	Packet
	fd    int // -1: free
	use   int32
	sent  time.Time
	early error // what connect itself said of the answer
}

// openTCP opens the wire of TCP. It raises the soft limit of open files to the hard one.
func openTCP(cfg *SweeperConfig, sink func(Arrival)) (Wire, error) {
	limit, err := raiseFileLimit()
	if err != nil {
		return nil, fmt.Errorf("open tcp: %w", err)
	}
	window := TCPWindow(limit)
	timeout := cfg.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	w := &tcpWire{
		sink: sink, timeout: timeout,
		conns: make([]tcpConn, window), byTicket: map[Ticket]int32{}, kept: map[Ticket]bool{}, ages: newAgeList(window),
	}
	for i := range w.conns {
		w.conns[i].fd = -1
		w.free = append(w.free, int32(i))
	}
	if w.poller, err = startPoller(w.ready); err != nil {
		return nil, fmt.Errorf("open tcp: %w", err)
	}
	return w, nil
}

// Send begins to connect.
func (w *tcpWire) Send(packets []Packet) {
	for i := range packets {
		packets[i].Err = w.send(packets[i])
	}
}

func (w *tcpWire) send(p Packet) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return fmt.Errorf("connect to %s: %w", p.Target, net.ErrClosed)
	}
	w.makeRoom(1)
	if len(w.free) == 0 {
		return errWindow
	}
	c, err := w.connect(p)
	if err != nil {
		return fmt.Errorf("connect to %s %s: %w", p.Target, p.Protocol, err)
	}
	slot := w.free[len(w.free)-1]
	c.use = w.conns[slot].use
	if err := w.poller.watch(c.fd, unix.EPOLLOUT, watchID{slot, c.use}); err != nil {
		_ = unix.Close(c.fd)
		return fmt.Errorf("connect to %s %s: %w", p.Target, p.Protocol, err)
	}
	w.free = w.free[:len(w.free)-1]
	w.conns[slot] = c
	w.byTicket[p.Ticket] = slot
	w.ages.add(slot)
	return nil
}

// connect begins one connect.
func (w *tcpWire) connect(p Packet) (tcpConn, error) {
	sa, family := sockaddrOf(p.Target, p.Protocol.Port())
	open := func() (int, error) { return w.socket(family, p.Target.Is4()) }
	fd, err := open()
	if err != nil {
		return tcpConn{}, err
	}
	c := tcpConn{Packet: p, fd: fd, sent: time.Now()}
	switch err = unix.Connect(fd, sa); err {
	case nil:
		return c, nil
	case unix.EINPROGRESS:
		congested, refused := begun(fd)
		switch {
		case congested:
			err = unix.ENOBUFS
		case refused && w.refusals.ours(p, sa, open):
			err = errReset
		default:
			return c, nil
		}
	case unix.ECONNREFUSED:
		c.early = err
		return c, nil
	}
	_ = unix.Close(fd)
	return tcpConn{}, err
}

// socket makes one with its options.
func (w *tcpWire) socket(family int, v4 bool) (fd int, err error) {
	if fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP); err != nil {
		return -1, err
	}
	if err = w.prepare(fd, v4); err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// prepare sets a socket's options.
func (w *tcpWire) prepare(fd int, v4 bool) error {
	return errors.Join(
		// One retransmission: but since Linux 6.5 net.ipv4.tcp_syn_linear_timeouts adds four, a second apart, which would
		// be six SYNs to every silent address. The user timeout ends them when the attempt is overdue: with 3 s, after three.
		unix.SetsockoptInt(fd, unix.SOL_TCP, unix.TCP_SYNCNT, 1),
		unix.SetsockoptInt(fd, unix.SOL_TCP, unix.TCP_USER_TIMEOUT, int(w.timeout.Milliseconds())),
		unix.SetsockoptInt(fd, unix.SOL_TCP, unix.TCP_QUICKACK, 0),                         // no ACK before our RST
		unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}), // RST, no TIME_WAIT
		reportErrors(fd, v4),
	)
}

// ready looks at the descriptors of which there is news.
func (w *tcpWire) ready(events []unix.EpollEvent) {
	at := time.Now()
	arrivals := make([]Arrival, 0, pollBatch)
	w.mu.Lock()
	for _, e := range events {
		c := &w.conns[e.Fd]
		if c.fd < 0 || c.use != e.Pad {
			continue
		}
		a, over := c.news(e.Events)
		if a.Outcome != Timeout {
			a.Ticket = c.Ticket
			w.date(&a, c.sent, at)
			arrivals = append(arrivals, a)
		}
		switch {
		case over && a.Outcome == Timeout:
			w.giveUp(e.Fd)
		case over:
			w.drop(e.Fd)
		}
	}
	w.mu.Unlock()
	for _, a := range arrivals {
		w.sink(a)
	}
}

// date says when an arrival came that is read now. A socket tells that by its measure of the handshake alone; but nothing
// comes any more once the kernel has given up, which it does not do before its first retransmission.
func (w *tcpWire) date(a *Arrival, sent, now time.Time) {
	waited := min(max(now.Sub(sent), 1), max(w.timeout, firstRetransmission))
	if a.RTT == 0 || a.RTT > waited {
		a.RTT = waited
	}
	a.At = sent.Add(a.RTT)
}

// firstRetransmission is how long the kernel waits for the answer to a first SYN: RFC 6298.
const firstRetransmission = time.Second

// news is what the kernel has to say of an attempt, and whether nothing more can come. Its outcome is Timeout where the
// kernel has nothing to say of the target.
func (c *tcpConn) news(events uint32) (a Arrival, over bool) {
	for more := true; more; {
		var n icmpNotice
		var ok bool
		if n, ok, more = nextError(c.fd); ok {
			return n.arrival(), true
		}
	}
	if c.early != nil {
		return Arrival{Outcome: Refused}, true
	}
	errno, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return Arrival{Outcome: Unsent, Err: err}, true
	}
	switch unix.Errno(errno) {
	case 0:
		if events&unix.EPOLLOUT == 0 {
			return Arrival{}, false
		}
		return Arrival{Outcome: Reply, RTT: handshakeRTT(c.fd)}, true
	case unix.ECONNRESET, unix.EPIPE: // after a SYN-ACK: before one, a RST is a refusal
		return Arrival{Outcome: Reply}, true
	case unix.ECONNREFUSED:
		return Arrival{Outcome: Refused}, true
	case unix.ETIMEDOUT, unix.EHOSTUNREACH, unix.ENETUNREACH:
		return Arrival{}, true // silence: the sweeper's own timeout says so
	}
	return Arrival{Outcome: Unsent, Err: fmt.Errorf("connect to %s %s: %w", c.Target, c.Protocol, unix.Errno(errno))}, true
}

// handshakeRTT is the kernel's own measure, SYN to SYN-ACK, or 0 where the SYN had to be sent again: then that measure
// begins after the attempt did.
func handshakeRTT(fd int) time.Duration {
	info, err := unix.GetsockoptTCPInfo(fd, unix.SOL_TCP, unix.TCP_INFO)
	if err != nil || info.Total_retrans > 0 {
		return 0
	}
	return time.Duration(info.Rtt) * time.Microsecond
}

// begun tells of a connect that has just begun whether the queue of our interface had no room for the SYN, for then the congestion window
// is reduced before anything was sent; and whether it has been refused already.
func begun(fd int) (congested, refused bool) {
	const reduced, closed = 2, 7 // TCP_CA_CWR: linux/tcp.h; TCP_CLOSE: linux/tcp_states.h
	info, err := unix.GetsockoptTCPInfo(fd, unix.SOL_TCP, unix.TCP_INFO)
	return err == nil && info.Ca_state == reduced, err == nil && info.State == closed
}

// unsent is errKept where the latest SYN of a silent attempt did not get past our own firewall, queue, routes and
// neighbour table: the retransmission timer has run out, and yet no retransmission is on its way. That timer runs out
// first after a second (RFC 6298), so that a shorter timeout takes such a fault for silence.
func (c *tcpConn) unsent() error {
	info, err := unix.GetsockoptTCPInfo(c.fd, unix.SOL_TCP, unix.TCP_INFO)
	if err == nil && info.Retransmits > 0 && info.Retrans == 0 {
		return errKept
	}
	return nil
}

// Unsent is why a silent attempt has not left this host, until it is forgotten.
func (w *tcpWire) Unsent(t Ticket) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if slot, ok := w.byTicket[t]; ok {
		return w.conns[slot].unsent()
	}
	if w.kept[t] {
		return errKept
	}
	return nil
}

// giveUp frees the slot of an attempt of which nothing more can come, and keeps in mind what the sweeper may ask yet.
func (w *tcpWire) giveUp(slot int32) {
	if c := &w.conns[slot]; c.unsent() != nil {
		w.kept[c.Ticket] = true
	}
	w.drop(slot)
}

// CaughtUp reports whether all that has come of all attempts has been delivered.
func (w *tcpWire) CaughtUp() bool { return w.poller.idle() }

// Forget closes the descriptors of attempts.
func (w *tcpWire) Forget(tickets []Ticket) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range tickets {
		delete(w.kept, t)
		if slot, ok := w.byTicket[t]; ok {
			w.drop(slot)
		}
	}
}

// drop frees a slot.
func (w *tcpWire) drop(slot int32) {
	c := &w.conns[slot]
	_ = unix.Close(c.fd) // closing takes it out of the epoll set
	if w.byTicket[c.Ticket] == slot {
		delete(w.byTicket, c.Ticket)
	}
	*c = tcpConn{fd: -1, use: c.use + 1}
	w.ages.remove(slot)
	w.free = append(w.free, slot)
}

// Room is how many more attempts the wire takes now.
func (w *tcpWire) Room() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.makeRoom(min(tcpRoom, len(w.conns)))
	return len(w.free)
}

// tcpRoom is how many slots are kept free, if attempts that have outlived the timeout must give theirs up for it.
const tcpRoom = 64

func (w *tcpWire) makeRoom(n int) {
	now := time.Now()
	for len(w.free) < n {
		slot, ok := w.ages.oldest()
		if !ok || now.Sub(w.conns[slot].sent) <= w.timeout || w.conns[slot].told() {
			return
		}
		w.giveUp(slot)
	}
}

// told reports whether the kernel knows what became of an attempt: then its slot is about to be free.
func (c *tcpConn) told() bool {
	const synSent = 2 // TCP_SYN_SENT: linux/tcp_states.h
	info, err := unix.GetsockoptTCPInfo(c.fd, unix.SOL_TCP, unix.TCP_INFO)
	return err == nil && info.State != synSent
}

// Close ends every attempt and waits for the goroutine.
func (w *tcpWire) Close() error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil
	}
	w.closed = true
	for i := range w.conns {
		if w.conns[i].fd >= 0 {
			w.drop(int32(i))
		}
	}
	w.refusals.close()
	w.mu.Unlock()
	return w.poller.Close()
}

// raiseFileLimit raises the soft limit of open files to the hard one, which it returns.
func raiseFileLimit() (uint64, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("read the limit of open files: %w", err)
	}
	if limit.Cur < limit.Max {
		raised := unix.Rlimit{Cur: limit.Max, Max: limit.Max}
		if unix.Setrlimit(unix.RLIMIT_NOFILE, &raised) == nil {
			limit = raised // else the soft limit is what there is
		}
	}
	return limit.Cur, nil
}
