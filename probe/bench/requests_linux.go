package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// exporterAddress is where blackbox_exporter listens, on this namespace's loopback.
const exporterAddress = "127.0.0.1:9115"

const exporterModules = `modules:
  icmp:
    prober: icmp
    timeout: 1s
    icmp: {preferred_ip_protocol: ip4}
`

// requestEach asks blackbox_exporter for one probe of every address of a list, as Prometheus does, and prints those that
// answer.
func requestEach(list string, out io.Writer) (err error) {
	folder, err := os.MkdirTemp("", "exporter")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "blackbox.yml")
	if err := os.WriteFile(file, []byte(exporterModules), 0o644); err != nil {
		return err
	}
	exporter := exec.Command("prometheus-blackbox-exporter", "--config.file="+file, "--web.listen-address="+exporterAddress, "--log.level=error")
	exporter.Stderr = os.Stderr
	exporter.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := exporter.Start(); err != nil {
		return err
	}
	defer func() {
		exporter.Process.Signal(syscall.SIGTERM)
		exporter.Wait() // so that its CPU time counts as ours
	}()
	if err := listening(exporterAddress); err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: askedAtOnce}}
	return each(list, out, func(a string) (bool, error) { return request(client, a) })
}

// listening waits until a server takes connections.
func listening(address string) error {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			return c.Close()
		}
	}
	return errors.New("blackbox_exporter does not listen")
}

func request(client *http.Client, a string) (bool, error) {
	resp, err := client.Get("http://" + exporterAddress + "/probe?module=icmp&target=" + a)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return false, fmt.Errorf("read the metrics: %w", err)
	}
	return bytes.Contains(body, []byte("\nprobe_success 1\n")), nil
}
