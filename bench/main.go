// Command bench measures Roster against the least programs that do the same work, and prints a table. See README.md.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

func main() {
	runtime.LockOSThread() // what setpriv ties to us ends with the thread that started it
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is the benchmark, or one of the servers that it starts as processes of their own.
func run(ctx context.Context, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "floor":
			return serveFloor(ctx, args[1:])
		case "embed":
			return serveEmbed(ctx, args[1:])
		}
	}
	o, err := readOptions(args)
	if err != nil {
		return err
	}
	b := &bench{options: o, filled: map[string]bool{}}
	defer b.close()
	if err := b.open(ctx); err != nil {
		return err
	}
	if o.serve {
		return b.serve(ctx)
	}
	if o.timing {
		return b.timing(ctx)
	}
	return b.measureRows(ctx)
}
