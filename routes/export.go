package routes

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"unicode"

	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
)

// exportFormat is how a whole list is sent: as a file of lines.
type exportFormat string

const (
	ndjson    exportFormat = "ndjson" // a JSON object a line
	csvFormat exportFormat = "csv"    // RFC 4180, with a header line
)

// exportFormat reads the parameter format; "" is a page of the list. A file has no pages.
func (p *parameters) exportFormat() exportFormat {
	if !p.values.Has("format") {
		return ""
	}
	f := exportFormat(p.text("format"))
	if f != ndjson && f != csvFormat {
		p.faults.Add("format", roster.Invalid)
	}
	for _, name := range []string{"limit", "cursor"} {
		if p.values.Has(name) {
			p.faults.Add(name, roster.Invalid)
		}
	}
	return f
}

// linesFunc calls each for every line of a file: with the object of a JSON line, and the cells of a table.
type linesFunc = func(ctx context.Context, each func(line any, cells []string) error) error

// answer is a file called name with one line for each call of each.
func (f exportFormat) answer(name string, columns []string, lines linesFunc) (answer, error) {
	contentType, write := "application/x-ndjson", writeNDJSON
	if f == csvFormat {
		contentType, write = "text/csv; charset=utf-8; header=present", writeCSV
	}
	return answer{
		status: http.StatusOK,
		header: map[string]string{
			echo.HeaderContentType: contentType, echo.HeaderContentDisposition: `attachment; filename="` + name + "." + string(f) + `"`,
		},
		stream: func(ctx context.Context, w io.Writer) error { return write(ctx, w, columns, lines) },
	}, nil
}

func writeNDJSON(ctx context.Context, w io.Writer, _ []string, lines linesFunc) error {
	encoder := json.NewEncoder(w)
	return lines(ctx, func(line any, _ []string) error { return encoder.Encode(line) })
}

func writeCSV(ctx context.Context, w io.Writer, columns []string, lines linesFunc) error {
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

// writeRow writes a line of RFC 4180. All cells are in quotes, so that no program takes a semicolon or tab in one for the
// end of it, and what comes after for a formula.
func writeRow(w io.Writer, cells []string) error {
	var row strings.Builder
	for i, cell := range cells {
		if i > 0 {
			row.WriteByte(',')
		}
		row.WriteString(`"` + strings.ReplaceAll(defused(cell), `"`, `""`) + `"`)
	}
	row.WriteString("\r\n")
	_, err := io.WriteString(w, row.String())
	return err
}

// defused is a cell that no spreadsheet takes for a formula, also where it passes over white space or reads full-width signs.
func defused(cell string) string {
	text := strings.TrimLeftFunc(cell, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
	if len(text) < len(cell) || strings.ContainsRune("=+-@＝＋－＠", firstRune(text)) {
		return "'" + cell
	}
	return cell
}

func firstRune(text string) rune {
	for _, r := range text {
		return r
	}
	return 0
}
