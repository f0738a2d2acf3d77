// Command roster serves a user database over HTTP, migrates it and manages its users. It is built on the library's
// public packages alone, and shows how a program puts them together.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	_ "github.com/roster-go/roster/cmd/roster/timerslack" // of "serve"
)

// cli is the command line. The flags of Options are the same for each command, as are their environment variables.
type cli struct {
	Options

	Serve   serveCommand   `cmd:"" help:"Serve users under /api and administrators under /api/admin."`
	Migrate migrateCommand `cmd:"" help:"Bring the tables up to date, or take them back."`
	User    userCommand    `cmd:"" help:"Manage users."`
	Keys    keysCommand    `cmd:"" help:"Look at, rotate and revoke the keys of access tokens."`
	Export  exportCommand  `cmd:"" help:"Write users to a file."`
	Import  importCommand  `cmd:"" help:"Make users of a file."`
	Secret  secretCommand  `cmd:"" help:"Print a fresh secret for --secrets."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// The exit statuses beside 0.
const (
	exitFailed = 1
	exitUsage  = 2
)

// terminal is where a command reads and writes.
type terminal struct {
	in       io.Reader
	out, err io.Writer
	logger   *slog.Logger
}

func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	var c cli
	exited := -1
	parser, err := kong.New(&c, kong.Name("roster"), kong.Description("User management that programs embed."),
		kong.Writers(out, errs), kong.Exit(func(code int) { exited = code }))
	if err != nil {
		fmt.Fprintln(errs, "roster:", err)
		return exitFailed
	}
	command, err := parser.Parse(args)
	if exited >= 0 {
		return exited // help was asked for
	}
	if err != nil {
		fmt.Fprintln(errs, "roster:", err)
		return exitUsage
	}
	t := terminal{in, out, errs, slog.New(slog.NewTextHandler(errs, &slog.HandlerOptions{Level: c.LogLevel}))}
	command.BindTo(ctx, (*context.Context)(nil))
	if err := command.Run(&c.Options, t); err != nil {
		fmt.Fprintln(errs, "roster:", strings.ReplaceAll(err.Error(), "\n", "\n  "))
		return exitFailed
	}
	return 0
}
