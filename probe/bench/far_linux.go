package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"
)

// The link between the two namespaces. The space is reached by way of the far end.
const (
	nearDevice, farDevice = "bench0", "bench1"
	nearAddress           = "198.19.255.1"
	farAddress            = "198.19.255.2"
	wholeSpace            = "198.18.0.0/16"
)

// far is the namespace that owns the space: a process that serves in it until its input ends.
type far struct {
	process *exec.Cmd
	input   io.Closer
	mac     string // of its end of the link
}

// openFar makes the far namespace and the link to it.
func openFar() (*far, error) {
	cmd := exec.Command("/proc/self/exe", "-role", "far")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("open the far namespace: %w", err)
	}
	f := &far{process: cmd, input: input}
	if err := f.link(input, bufio.NewScanner(output)); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

// link lays the link, and waits until the far end serves.
func (f *far) link(input io.Writer, said *bufio.Scanner) error {
	err := commands(
		"ip link set lo up",
		"ip link add "+nearDevice+" type veth peer name "+farDevice,
		fmt.Sprintf("ip link set %s netns %d", farDevice, f.process.Process.Pid),
		"ip addr add "+nearAddress+"/30 dev "+nearDevice,
		"ip link set "+nearDevice+" up",
	)
	if err != nil {
		return err
	}
	const everybody = "0 2147483647" // may open datagram ICMP sockets
	if err := os.WriteFile("/proc/sys/net/ipv4/ping_group_range", []byte(everybody), 0); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(input, "laid"); err != nil {
		return err
	}
	if !said.Scan() {
		return errors.New("the far end ended before it served")
	}
	f.mac = said.Text()
	return commands("ip neigh add "+farAddress+" lladdr "+f.mac+" dev "+nearDevice, "ip route add "+wholeSpace+" via "+farAddress)
}

func (f *far) close() error {
	f.input.Close() // ends it
	return f.process.Wait()
}

// commands runs programs with their arguments, split at blanks.
func commands(lines ...string) error {
	for _, line := range lines {
		words := strings.Fields(line)
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", line, err, out)
		}
	}
	return nil
}

// serveFar is the far end: it answers for the whole space until its input ends.
func serveFar() error {
	in := bufio.NewReader(os.Stdin)
	if _, err := in.ReadString('\n'); err != nil {
		return fmt.Errorf("wait for the link: %w", err)
	}
	err := commands(
		"ip link set lo up",
		"ip addr add "+farAddress+"/30 dev "+farDevice,
		"ip link set "+farDevice+" up",
		"ip route add local "+wholeSpace+" dev lo",
		"sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv4.icmp_msgs_per_sec=1000000 net.ipv4.icmp_msgs_burst=100000",
		"sysctl -qw net.ipv4.tcp_max_syn_backlog=65536 net.core.somaxconn=65536 net.ipv4.tcp_syncookies=2",
	)
	if err != nil {
		return err
	}
	if err := listen(); err != nil {
		return err
	}
	link, err := net.InterfaceByName(farDevice)
	if err != nil {
		return err
	}
	fmt.Println(link.HardwareAddr)
	_, err = io.Copy(io.Discard, in)
	return err
}

// listen opens port 80 and a name server, at every address of the space.
func listen() error {
	web, err := net.Listen("tcp4", ":80")
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := web.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				c.Close()
			}
		}
	}()
	socket, err := net.ListenPacket("udp4", ":53")
	if err != nil {
		return err
	}
	server := &dns.Server{PacketConn: socket, Handler: dns.HandlerFunc(refuse)}
	go server.ActivateAndServe()
	return socket.(*net.UDPConn).SetReadBuffer(8 << 20)
}

func refuse(w dns.ResponseWriter, q *dns.Msg) {
	w.WriteMsg(new(dns.Msg).SetRcode(q, dns.RcodeRefused))
}

// inSpace reports whether a word is an address of the space with so many bits.
func inSpace(word string, bits int) (netip.Addr, bool) {
	a, err := netip.ParseAddr(word)
	space := netip.PrefixFrom(netip.MustParseAddr("198.18.0.0"), bits)
	return a, err == nil && space.Contains(a)
}
