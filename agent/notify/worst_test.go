package notify

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipes are a network within a bubble: a listener whose connections are net.Pipes, and what dials it.
type pipes struct {
	conns chan net.Conn
	ended chan struct{}
	end   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.end.Do(func() { close(p.ended) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "unix"} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestWorstReceiver sends by HTTP to a receiver that is down for an hour, then so slow for half an hour that we give up while it
// works, then answers 500 to what it has taken: of what it got, the first of each ID are in order, and none is missing.
func TestWorstReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		since := func() time.Duration { return time.Since(begun) }
		var got []string
		again, slow, refused := 0, 0, 0
		network := &pipes{conns: make(chan net.Conn), ended: make(chan struct{})}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var n Notice
			body, err := io.ReadAll(r.Body)
			if err == nil {
				err = json.Unmarshal(body, &n)
			}
			if err != nil || n.ID != r.Header.Get(HeaderID) || !signed(r.Header.Get(HeaderSignature), "key", string(body)) {
				t.Errorf("got %q with %v (%v)", body, r.Header, err)
				return
			}
			for _, tr := range n.Transitions {
				if slices.Contains(got, tr.ID) {
					again++
				} else {
					got = append(got, tr.ID)
				}
			}
			switch at := since(); {
			case at < 90*time.Minute:
				slow++
				time.Sleep(sendTimeout + 10*time.Second)
			case at < 2*time.Hour:
				refused++
				w.WriteHeader(http.StatusInternalServerError)
			}
		})}
		go server.Serve(network) // ends with an error, which says that it was closed
		transport := &http.Transport{DialContext: func(ctx context.Context, kind, addr string) (net.Conn, error) {
			if since() < time.Hour {
				return nil, errors.New("connection refused")
			}
			return network.dial(ctx, kind, addr)
		}}
		s := openQueue(t)
		d := deliver(t, s, Channel{Name: "hook", Sender: &webhook{"http://receiver/", []byte("key"), &http.Client{Transport: transport}}})
		want := oneAMinute(t, s, d, 150, nil)
		pass(longestWait)
		if !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
		if slow == 0 || refused == 0 || again == 0 {
			t.Errorf("%d times slow, %d refused, %d came again: this was no bad receiver", slow, refused, again)
		}
		if st := d.Stats()[0]; st.Delivered != 150 || st.GivenUp != 0 || st.Waiting != 0 {
			t.Errorf("the statistics are %+v", st)
		}
		d.Close()
		transport.CloseIdleConnections()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
}
