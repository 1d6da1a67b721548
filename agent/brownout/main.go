// Command brownout sweeps a small address space and tells total outages from partial ones.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"brownout/agent"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends what does not end by itself
	return agent.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}
