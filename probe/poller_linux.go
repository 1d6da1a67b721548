package probe

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// poller waits for many descriptors on one goroutine, by epoll(7), level-triggered: what is left unread is told again.
type poller struct {
	epoll, wake int
	done        chan struct{} // closed when the goroutine has ended
}

// watchID comes back with every event of a descriptor: a slot of the owner's, and how often the slot was used before, so
// that an event of a former use is not taken for one of this.
type watchID struct{ slot, use int32 }

var wakeID = watchID{-1, -1}

// pollBatch is the number of events read at once.
const pollBatch = 256

// startPoller calls ready from its goroutine with the events that came, as they come, until Close.
func startPoller(ready func([]unix.EpollEvent)) (*poller, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create epoll instance: %w", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(epoll)
		return nil, fmt.Errorf("create event descriptor: %w", err)
	}
	p := &poller{epoll: epoll, wake: wake, done: make(chan struct{})}
	if err := p.watch(wake, unix.EPOLLIN, wakeID); err != nil {
		p.release()
		return nil, err
	}
	go p.loop(ready)
	return p, nil
}

// watch reports events of fd until it is closed.
func (p *poller) watch(fd int, events uint32, id watchID) error {
	e := unix.EpollEvent{Events: events, Fd: id.slot, Pad: id.use}
	if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &e); err != nil {
		return fmt.Errorf("watch descriptor: %w", err)
	}
	return nil
}

func (p *poller) loop(ready func([]unix.EpollEvent)) {
	defer close(p.done)
	events := make([]unix.EpollEvent, pollBatch)
	for {
		n, err := unix.EpollWait(p.epoll, events, -1)
		if err != nil && err != unix.EINTR {
			return // only a bug of ours: a closed or wrong descriptor
		}
		for i := range max(n, 0) {
			if (watchID{events[i].Fd, events[i].Pad}) == wakeID {
				return
			}
		}
		if n > 0 {
			ready(events[:n])
		}
	}
}

// Close ends the goroutine, waits for it, and releases the poller's own descriptors.
func (p *poller) Close() error {
	one := [8]byte{1} // either byte order makes it a number but 0
	if _, err := unix.Write(p.wake, one[:]); err != nil {
		return fmt.Errorf("wake poller: %w", err)
	}
	<-p.done
	p.release()
	return nil
}

func (p *poller) release() {
	_ = unix.Close(p.wake)
	_ = unix.Close(p.epoll)
}
