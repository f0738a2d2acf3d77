package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/transfer"
)

type exportCommand struct {
	File   string          `arg:"" default:"-" help:"File to write; - is the standard output. One that is there is not written over."`
	Format transfer.Format `default:"ndjson" enum:"ndjson,csv" help:"ndjson (a JSON object a line) or csv."`
	Text   string          `name:"q" help:"Words that must be found in each user." placeholder:"TEXT"`
	Filter []string        `help:"field=value or field.op=value, as in GET /users; several are combined by AND." placeholder:"FILTER" sep:"none"`
	Hashes bool            `help:"Also write the hashes of the passwords."`
}

// Run writes the users.
func (c exportCommand) Run(ctx context.Context, o *Options, t terminal) (err error) {
	q := roster.Query{Text: c.Text}
	for _, text := range c.Filter {
		name, value, given := strings.Cut(text, "=")
		if !given {
			return fmt.Errorf("--filter: want field=value, not %q", text)
		}
		field, op, named := strings.Cut(name, ".")
		if !named {
			op = string(roster.Eq)
		}
		q.Filters = append(q.Filters, roster.Filter{Field: field, Op: roster.Op(op), Value: roster.Literal(value)})
	}
	p, err := o.open(ctx, t, sendsNothing)
	if err != nil {
		return err
	}
	defer p.close()
	out, finish, err := c.create(t)
	if err != nil {
		return err
	}
	buffer := bufio.NewWriter(out)
	ctx = roster.WithActor(ctx, roster.Actor{Kind: roster.ActorCLI})
	err = transfer.Export(ctx, buffer, c.Format, p.repo, q, roster.ExportOptions{Hashes: c.Hashes})
	if err == nil {
		err = buffer.Flush()
	}
	return finish(err)
}

// create opens the file, for its owner alone. A file that was not written to its end is taken away.
func (c exportCommand) create(t terminal) (w io.Writer, finish func(error) error, err error) {
	if c.File == "-" {
		return t.out, func(err error) error { return err }, nil
	}
	f, err := os.OpenFile(c.File, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, err
	}
	return f, func(err error) error {
		if closing := f.Close(); err == nil {
			err = closing
		}
		if err != nil {
			_ = os.Remove(c.File) // the error tells more
		}
		return err
	}, nil
}
