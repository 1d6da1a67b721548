package lab

import (
	"context"
	"sync"

	"brownout/probe"
)

// Config says what is served.
type Config struct {
	World *World
	Clock *probe.Clock // nil: the real one, which has left most scenarios behind
}

// Lab is a world that answers real packets. It ends when it is closed or its context ends.
type Lab struct {
	responder *responder
	device    string
	close     func() error // once
	served    sync.WaitGroup
	err       error // why serving ended; to be read after served
}

// Serve makes this network namespace a lab: it brings lo up, opens a TUN device, leads [Range] and the default route to it,
// lets every group open ICMP datagram sockets, and answers. It refuses a namespace that has a way out: see [Namespace].
// The calling goroutine's thread decides which namespace it is.
func Serve(ctx context.Context, cfg Config) (*Lab, error) {
	if cfg.Clock == nil {
		cfg.Clock = &probe.Clock{}
	}
	wire, device, err := openDevice()
	if err != nil {
		return nil, err
	}
	l := &Lab{responder: newResponder(cfg.World, cfg.Clock, wire), device: device, close: sync.OnceValue(wire.Close)}
	l.served.Go(func() { l.err = l.responder.run() })
	context.AfterFunc(ctx, func() { l.close() })
	return l, nil
}

// Close takes the device away and waits until nothing runs any more.
func (l *Lab) Close() error {
	err := l.close()
	l.served.Wait()
	if l.err != nil {
		return l.err
	}
	return err
}

// Device is the name of the TUN device.
func (l *Lab) Device() string { return l.device }

// Stats is what was counted so far.
func (l *Lab) Stats() Stats { return l.responder.stats() }
