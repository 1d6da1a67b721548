package lab

import (
	"sync"
	"time"
)

// delayer hands out values when their time has come, on a goroutine of its own.
type delayer[T any] struct {
	deliver func(T)
	epoch   time.Time
	wake    chan struct{} // something earlier has come, or stop
	done    sync.WaitGroup

	mu      sync.Mutex // guards what follows
	heap    []delayed[T]
	order   uint64
	stopped bool
}

type delayed[T any] struct {
	at    time.Duration // after the epoch
	order uint64        // of values due at one time, the first in is the first out
	value T
}

func newDelayer[T any](deliver func(T)) *delayer[T] {
	d := &delayer[T]{deliver: deliver, epoch: time.Now(), wake: make(chan struct{}, 1)}
	d.done.Go(d.run)
	return d
}

// add delivers v at the given time, or at once if that is over. After stop it does nothing.
func (d *delayer[T]) add(at time.Time, v T) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return
	}
	d.order++
	d.push(delayed[T]{at: at.Sub(d.epoch), order: d.order, value: v})
	if d.heap[0].order == d.order {
		d.nudge()
	}
}

// stop drops what has not been delivered and waits for the goroutine.
func (d *delayer[T]) stop() {
	d.mu.Lock()
	d.stopped = true
	d.heap = nil
	d.nudge()
	d.mu.Unlock()
	d.done.Wait()
}

func (d *delayer[T]) nudge() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *delayer[T]) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		wait, ok := d.deliverDue()
		if !ok {
			return
		}
		if wait < 0 {
			<-d.wake
			continue
		}
		timer.Reset(wait)
		select {
		case <-d.wake:
		case <-timer.C:
		}
	}
}

// deliverDue delivers what is due and says how long until the next: -1 if there is none. It is not ok once stopped.
func (d *delayer[T]) deliverDue() (time.Duration, bool) {
	for {
		d.mu.Lock()
		if d.stopped {
			d.mu.Unlock()
			return 0, false
		}
		if len(d.heap) == 0 {
			d.mu.Unlock()
			return -1, true
		}
		if wait := d.heap[0].at - time.Since(d.epoch); wait > 0 {
			d.mu.Unlock()
			return wait, true
		}
		v := d.pop()
		d.mu.Unlock()
		d.deliver(v)
	}
}

// push and pop keep a binary heap without the boxing of container/heap.
func (d *delayer[T]) push(x delayed[T]) {
	h := append(d.heap, x)
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if !h[i].before(&h[parent]) {
			break
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
	d.heap = h
}

func (d *delayer[T]) pop() T {
	h := d.heap
	first, last := h[0].value, len(h)-1
	h[0] = h[last]
	h[last] = delayed[T]{}
	h = h[:last]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(h); child++ {
			if h[child].before(&h[least]) {
				least = child
			}
		}
		if least == i {
			break
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
	d.heap = h
	return first
}

func (a *delayed[T]) before(b *delayed[T]) bool {
	return a.at < b.at || a.at == b.at && a.order < b.order
}
