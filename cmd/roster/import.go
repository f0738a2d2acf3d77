package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/internal/jsontext"
	"github.com/roster-go/roster/transfer"
	"github.com/roster-go/roster/usersrepo"
)

type importCommand struct {
	File       string            `arg:"" default:"-" help:"File to read; - is the standard input."`
	Format     transfer.Format   `default:"" enum:",ndjson,csv" help:"ndjson (a JSON object a line) or csv; by the name of the file if left out."`
	Map        map[string]string `help:"Read a column of the file as another: date_joined=created_at. NAME= leaves one out." placeholder:"NAME=MEMBER" mapsep:"none"`
	MapFile    string            `help:"JSON file of such names: {\"date_joined\":\"created_at\",\"first_name\":\"\"}." placeholder:"FILE" type:"path"`
	DryRun     bool              `help:"Store nothing, and tell what would become of each line."`
	OnConflict roster.OnConflict `default:"fail" enum:"fail,skip,update" help:"What to do with lines about users who are there and otherwise: fail, skip or update."`
	Send       roster.ImportSend `default:"none" enum:"none,confirm,password_set" help:"What new users are mailed: none, confirm or password_set."`
	FromLine   int               `default:"1" help:"Pass over the lines before this one, to go on where an import was broken off." placeholder:"LINE"`
}

// Run imports the users, and fails when a line has.
func (c importCommand) Run(ctx context.Context, o *Options, t terminal) error {
	fields, err := c.fields()
	if err != nil {
		return err
	}
	in := t.in
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	adjust := sendsNothing
	if c.Send != roster.SendNone {
		adjust = func(*usersrepo.Config) {}
	}
	p, err := o.open(ctx, t, adjust)
	if err != nil {
		return err
	}
	defer p.close()
	ctx = roster.WithActor(ctx, roster.Actor{Kind: roster.ActorImport})
	report, err := p.repo.ImportUsers(ctx, c.lines(in, t.err), roster.ImportOptions{
		DryRun: c.DryRun, OnConflict: c.OnConflict, Send: c.Send, Fields: fields,
	})
	if told := c.tell(t, report); err == nil {
		err = told
	}
	if err == nil && report.FailedTotal > 0 {
		err = fmt.Errorf("%d of %d lines failed", report.FailedTotal, report.Lines)
	}
	return err
}

// fields are the names of --map-file, and those of --map instead of or beside them.
func (c importCommand) fields() (map[string]string, error) {
	fields := map[string]string{}
	if c.MapFile != "" {
		text, err := os.ReadFile(c.MapFile)
		if err == nil {
			err = json.Unmarshal(text, &fields)
		}
		if err != nil {
			return nil, fmt.Errorf("--map-file: %w", err)
		}
	}
	maps.Copy(fields, c.Map)
	return fields, nil
}

// progressEvery is after how many lines it is told how far the import is.
const progressEvery = 10_000

// lines reads the file from the line on that was asked for.
func (c importCommand) lines(in io.Reader, progress io.Writer) iter.Seq2[roster.ImportLine, error] {
	format := c.Format
	if format == "" {
		format = transfer.NDJSON
		if strings.EqualFold(filepath.Ext(c.File), ".csv") {
			format = transfer.CSV
		}
	}
	return func(yield func(roster.ImportLine, error) bool) {
		read := 0
		for line, err := range transfer.Lines(in, format) {
			if err == nil && line.Number < c.FromLine {
				continue
			}
			if !yield(line, err) {
				return
			}
			if read++; read%progressEvery == 0 {
				fmt.Fprintf(progress, "%d lines, at line %d\n", read, line.Number)
			}
		}
	}
}

// tell prints the failures and what the import came to.
func (c importCommand) tell(t terminal, r roster.ImportReport) error {
	for _, f := range r.Failed {
		for _, e := range f.Errors {
			fmt.Fprintf(t.err, "line %d: %s\n", f.Line, jsontext.Escape(strings.TrimSuffix(e.String()+" "+e.Message, " ")))
		}
	}
	what := ""
	if c.DryRun {
		what = " (dry run)"
	}
	_, err := fmt.Fprintf(t.out, "%d lines: %d created, %d updated, %d unchanged, %d skipped, %d failed%s\n",
		r.Lines, r.Created, r.Updated, r.Unchanged, r.Skipped, r.FailedTotal, what)
	return err
}
