package probe

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

const (
	forgerOf  = "BROWNOUT_TEST_FORGER" // the id of the replies that a child forges
	forgeries = 100_000                // a second
)

// TestForgedFlood: 100,000 echo replies a second, with our own id, claim to come from the targets, half of which are
// silent. None is credited, none that is real is lost, and it costs less than a processor. With -long for a minute.
func TestForgedFlood(t *testing.T) {
	if id := os.Getenv(forgerOf); id != "" {
		forgeUntilToldNotTo(t, id)
		return
	}
	if !inNamespace(t) {
		return
	}
	nft(t, "input", "icmp type echo-request ip daddr & 0.0.0.1 == 0.0.0.1 drop")
	sysctl(t, "net/ipv4/ping_group_range", "0 2147483647")
	for _, mode := range []ICMPMode{ICMPRaw, ICMPDatagram} {
		t.Run(mode.String(), func(t *testing.T) {
			s := openTest(t, SweeperConfig{ICMP: mode, Timeout: 500 * time.Millisecond}, ICMP)
			forged := startForger(t, s.wires[kindICMP].(*icmpWire).v4.echo.id)
			begun, spent := time.Now(), processorTime(t)
			space := testSpace(t, "198.18.0.0/24")
			w, err := s.Start(context.Background(), Order{Space: space, Aims: []Aim{{ICMP, space}}, Seed: 1,
				Span: time.Duration(times(1, 60)) * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			<-w.Sent()
			r, _ := w.Round()
			took := time.Since(begun)
			cores := float64(processorTime(t)-spent) / float64(took)
			n := forged()
			// A machine that is too busy to read them all says so: what it cannot judge counts as unsent.
			if got := outcomes(r.Passes[0]); got[Timeout] > 128 || got[Reply] > 128 || *long && got[Unsent] > 0 {
				t.Errorf("%v", got)
			}
			for _, a := range r.Passes[0].Answers {
				if space.Addr(int(a.Target)).As4()[3]&1 == 1 {
					t.Errorf("%s is credited a forgery", space.Addr(int(a.Target)))
				}
			}
			st := s.Stats()
			t.Logf("%d forgeries in %s, %.0f a second: %d refused, and %.2f of a processor spent", n, took.Round(time.Millisecond),
				float64(n)/took.Seconds(), st.Forged, cores)
			if st.Forged == 0 {
				t.Error("no forgery came: the test is none")
			}
			if *long && cores >= 1 {
				t.Error("a whole processor")
			}
		})
	}
}

// startForger starts a child that forges replies with an id. forged ends it, and says how many it sent.
func startForger(t *testing.T, id uint16) (forged func() int) {
	t.Helper()
	child := exec.Command("/proc/self/exe", "-test.run=^TestForgedFlood$")
	child.Env = append(os.Environ(), fmt.Sprintf("%s=%d", forgerOf, id))
	child.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	child.Stderr = os.Stderr
	stop, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	return func() int {
		if err := stop.Close(); err != nil {
			t.Error(err)
		}
		b, err := io.ReadAll(out)
		if err != nil {
			t.Error(err)
		}
		if err := child.Wait(); err != nil {
			t.Error(err)
		}
		line, _, _ := strings.Cut(string(b), "\n")
		n, err := strconv.Atoi(line)
		if err != nil {
			t.Errorf("the forger says %q", b)
		}
		return n
	}
}

// forgeUntilToldNotTo forges replies of 198.18.0.0/24, whose tickets are possible ones, until standard input ends.
func forgeUntilToldNotTo(t *testing.T, id string) {
	number, err := strconv.ParseUint(id, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenPacket("ip4:icmp", "0.0.0.0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	out := ipv4.NewPacketConn(conn)
	batch := make([]ipv4.Message, 256)
	for i := range batch {
		reply := make([]byte, echoLen)
		reply[0] = echoReply4
		binary.BigEndian.PutUint16(reply[4:], uint16(number))
		binary.BigEndian.PutUint64(reply[icmpHeaderLen:], uint64(makeTicket(1, i, 0)))
		source := net.IPv4(198, 18, 0, byte(i))
		// Ours leave for themselves: the kernel owns the space, and asks from the address that is asked.
		batch[i] = ipv4.Message{Buffers: [][]byte{resum(reply)}, Addr: &net.IPAddr{IP: source},
			OOB: (&ipv4.ControlMessage{Src: source}).Marshal()}
	}
	told := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // however it ends, it has ended
		close(told)
	}()
	begun, sent := time.Now(), 0
	for {
		select {
		case <-told:
			fmt.Println(sent)
			return
		default:
		}
		if ahead := time.Duration(sent)*time.Second/forgeries - time.Since(begun); ahead > time.Millisecond {
			time.Sleep(ahead)
		}
		n, err := out.WriteBatch(batch, 0)
		if err != nil {
			t.Fatal(err)
		}
		sent += n
	}
}

// processorTime is what this process has spent of it.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
