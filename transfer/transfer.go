// Package transfer reads and writes files of users, for ImportUsers and of ExportUsers: lines of JSON, and CSV as RFC 4180
// has it. What was written is read as it was, whatever is in it.
package transfer

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"iter"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/internal/csvtext"
	"github.com/roster-go/roster/internal/jsontext"
)

// Format is how a file holds users.
type Format string

// The formats.
const (
	NDJSON Format = "ndjson" // a JSON object a line
	CSV    Format = "csv"    // RFC 4180, with a header line
)

// Exporter is what Export asks of a repo.
type Exporter interface {
	Fields() []roster.Field
	ExportUsers(ctx context.Context, query roster.Query, options roster.ExportOptions) iter.Seq2[roster.UserRow, error]
}

// Export writes the users whom query finds into a file, and nothing before the first of them was read.
func Export(ctx context.Context, w io.Writer, format Format, repo Exporter, query roster.Query, options roster.ExportOptions) error {
	write, begun := writeObject, format != CSV
	if format == CSV {
		write = writeCells
	}
	begin := func(columns []string) error {
		if begun {
			return nil
		}
		begun = true
		_, err := io.WriteString(w, csvtext.Row(csvtext.Texts(columns)))
		return err
	}
	for row, err := range repo.ExportUsers(ctx, query, options) {
		if err == nil {
			err = begin(row.Columns)
		}
		if err == nil {
			err = write(w, row)
		}
		if err != nil {
			return err
		}
	}
	return begin(roster.ExportColumns(repo.Fields(), options))
}

// writeObject writes a line in which nothing breaks a line or speaks to a terminal.
func writeObject(w io.Writer, row roster.UserRow) error {
	line := []byte{'{'}
	for i, name := range row.Columns {
		if i > 0 {
			line = append(line, ',')
		}
		key, err := json.Marshal(name)
		if err != nil {
			return err
		}
		line = append(append(append(line, key...), ':'), row.Values[i]...)
	}
	_, err := io.WriteString(w, jsontext.Escape(string(append(line, '}')))+"\n")
	return err
}

// writeCells writes texts as they are, null as an empty cell, and all else as JSON.
func writeCells(w io.Writer, row roster.UserRow) error {
	cells := make([]*string, len(row.Values))
	for i, value := range row.Values {
		switch {
		case bytes.Equal(value, []byte("null")): //nolint:forbidigo // no secret
		case value[0] == '"':
			cells[i] = new(string)
			if err := json.Unmarshal(value, cells[i]); err != nil {
				return err
			}
		default:
			cells[i] = new(string(value))
		}
	}
	_, err := io.WriteString(w, csvtext.Row(cells))
	return err
}
