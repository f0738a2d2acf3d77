package routes

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/internal/csvtext"
	"github.com/roster-go/roster/transfer"
)

// exportFormat reads the parameter format; "" is a page of the list. A file has no pages.
func (p *parameters) exportFormat() transfer.Format {
	if !p.values.Has("format") {
		return ""
	}
	f := readFormat(p.text("format"), &p.faults)
	for _, name := range []string{"limit", "cursor"} {
		if p.values.Has(name) {
			p.faults.Add(name, roster.Invalid)
		}
	}
	return f
}

func readFormat(text string, faults *roster.FieldErrors) transfer.Format {
	f := transfer.Format(text)
	if f != transfer.NDJSON && f != transfer.CSV {
		faults.Add("format", roster.Invalid)
	}
	return f
}

// fileOf is the answer of a file that write makes.
func fileOf(name string, format transfer.Format, write stream) (answer, error) {
	a := answer{status: http.StatusOK, stream: write, header: map[string]string{
		echo.HeaderContentDisposition: `attachment; filename="` + name + "." + string(format) + `"`,
	}}
	if format == transfer.CSV {
		a.header[echo.HeaderContentType] = "text/csv; charset=utf-8; header=present"
		return a, nil
	}
	a.header[echo.HeaderContentType] = "application/x-ndjson"
	a.broken = func(code roster.Code) string { return fmt.Sprintf("{\"error\":%q}\n", code) }
	return a, nil
}

// linesFunc calls each for every line of a file: with the object of a JSON line, and the cells of a table.
type linesFunc = func(ctx context.Context, each func(line any, cells []string) error) error

func writeNDJSON(lines linesFunc) stream {
	return func(ctx context.Context, w io.Writer) error {
		encoder := json.NewEncoder(w)
		return lines(ctx, func(line any, _ []string) error { return encoder.Encode(line) })
	}
}

func writeCSV(columns []string, lines linesFunc) stream {
	return func(ctx context.Context, w io.Writer) error {
		begun := false
		begin := func() error { // not before it is known that there will be a file
			if begun {
				return nil
			}
			begun = true
			return writeRow(w, columns)
		}
		if err := lines(ctx, func(_ any, cells []string) error {
			if err := begin(); err != nil {
				return err
			}
			return writeRow(w, cells)
		}); err != nil {
			return err
		}
		return begin()
	}
}

func writeRow(w io.Writer, cells []string) error {
	_, err := io.WriteString(w, csvtext.Row(csvtext.Texts(cells)))
	return err
}
