package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	probing "github.com/prometheus-community/pro-bing"
)

// askedAtOnce is how many hosts the programs that ask each host by itself ask at the same time.
const askedAtOnce = 256

// pingEach pings every address of a list with a pinger of its own, and prints those that answer.
func pingEach(list string, out io.Writer) error {
	return each(list, out, func(a string) (bool, error) {
		p := probing.New(a)
		p.SetPrivileged(true)
		p.Count, p.Timeout = 1, time.Second
		err := p.Run()
		return p.Statistics().PacketsRecv > 0, err
	})
}

// each asks every address of a list, several at once, and prints those of which ask says that they answer.
func each(list string, out io.Writer, ask func(address string) (bool, error)) error {
	f, err := os.Open(list)
	if err != nil {
		return err
	}
	defer f.Close()
	var mu sync.Mutex // guards out and failed
	var failed error
	var asking sync.WaitGroup
	turns := make(chan struct{}, askedAtOnce)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		a := lines.Text()
		turns <- struct{}{}
		asking.Go(func() {
			defer func() { <-turns }()
			answers, err := ask(a)
			mu.Lock()
			defer mu.Unlock()
			if err != nil && failed == nil {
				failed = fmt.Errorf("ask %s: %w", a, err)
			}
			if answers {
				fmt.Fprintln(out, a)
			}
		})
	}
	asking.Wait()
	return failed
}
