package probe

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// poller waits for many descriptors on one goroutine, by epoll(7), level-triggered: what is left unread is told again. The
// epoll descriptor is itself watched by the runtime's poller, so that no thread is kept waiting for it: at a few probes a
// second, waking one costs more than all else.
type poller struct {
	epoll int
	file  *os.File // owns it
	conn  syscall.RawConn
	busy  atomic.Bool   // events may have been taken that ready has not dealt with
	done  chan struct{} // closed when the goroutine has ended
}

// watchID comes back with every event of a descriptor: a slot of the owner's, and how often the slot was used before, so
// that an event of a former use is not taken for one of this.
type watchID struct{ slot, use int32 }

// pollBatch is the number of events read at once.
const pollBatch = 256

// startPoller calls ready from its goroutine with the events that came, as they come, until Close.
func startPoller(ready func([]unix.EpollEvent)) (*poller, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create epoll instance: %w", err)
	}
	p := &poller{epoll: epoll, done: make(chan struct{})}
	if err := p.adopt(); err != nil {
		return nil, fmt.Errorf("watch epoll instance: %w", err)
	}
	go p.loop(ready)
	return p, nil
}

// adopt has the runtime's poller watch the epoll descriptor.
func (p *poller) adopt() (err error) {
	if err := unix.SetNonblock(p.epoll, true); err != nil {
		return errors.Join(err, unix.Close(p.epoll))
	}
	p.file = os.NewFile(uintptr(p.epoll), "epoll")
	if err := p.file.SetReadDeadline(time.Time{}); err != nil { // the runtime does not watch it
		return errors.Join(err, p.file.Close())
	}
	p.conn, err = p.file.SyscallConn()
	return err
}

// watch reports events of fd until it is closed.
func (p *poller) watch(fd int, events uint32, id watchID) error {
	e := unix.EpollEvent{Events: events, Fd: id.slot, Pad: id.use}
	if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &e); err != nil {
		return fmt.Errorf("watch descriptor: %w", err)
	}
	return nil
}

// change has other events of a watched descriptor reported; errors always are. What has come already is told anew.
func (p *poller) change(fd int, events uint32, id watchID) {
	e := unix.EpollEvent{Events: events, Fd: id.slot, Pad: id.use}
	_ = p.conn.Control(func(epoll uintptr) { // closed: nothing comes
		_ = unix.EpollCtl(int(epoll), unix.EPOLL_CTL_MOD, fd, &e)
	})
}

// loop ends when the file is closed.
func (p *poller) loop(ready func([]unix.EpollEvent)) {
	defer close(p.done)
	events := make([]unix.EpollEvent, pollBatch)
	n := 0
	read := func(fd uintptr) bool {
		p.busy.Store(true)
		n, _ = unix.EpollWait(int(fd), events, 0) // -1 when interrupted
		if n == 0 {
			p.busy.Store(false)
		}
		return n != 0
	}
	for p.conn.Read(read) == nil {
		if n > 0 {
			ready(events[:n])
		}
	}
	p.busy.Store(false)
}

// idle reports whether ready has dealt with all that had come when idle was called.
func (p *poller) idle() bool {
	n := 0
	_ = p.conn.Control(func(fd uintptr) { // closed: nothing is to come
		var one [1]unix.EpollEvent
		n, _ = unix.EpollWait(int(fd), one[:], 0)
	})
	return n == 0 && !p.busy.Load()
}

// Close ends the goroutine, waits for it, and releases the descriptor.
func (p *poller) Close() error {
	err := p.file.Close()
	<-p.done
	return err
}
