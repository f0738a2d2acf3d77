package transfer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"unicode/utf8"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/internal/csvtext"
)

// MaxLine bounds a line, in bytes: one of CSV with the line breaks in its cells.
const MaxLine = 64 << 10

// Lines reads the users of a file, as ImportUsers takes them. A line that cannot be read is one with a fault; the header of
// CSV, and what in breaks off with, are errors. Lines without a character are passed over, as is a byte order mark.
func Lines(in io.Reader, format Format) iter.Seq2[roster.ImportLine, error] {
	return func(yield func(roster.ImportLine, error) bool) {
		buffer := bufio.NewReaderSize(in, 32<<10)
		if mark, _ := buffer.Peek(3); bytes.Equal(mark, []byte("\uFEFF")) { //nolint:forbidigo // no secret
			_, _ = buffer.Discard(3)
		}
		read := readObjects
		if format == CSV {
			read = readTable
		}
		if err := read(buffer, func(l roster.ImportLine) bool { return yield(l, nil) }); err != nil {
			yield(roster.ImportLine{}, err)
		}
	}
}

func readObjects(in *bufio.Reader, yield func(roster.ImportLine) bool) error {
	for number := 1; ; number++ {
		text, tooLong, err := readLine(in)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read line %d: %w", number, err)
		}
		text = bytes.TrimSpace(text)
		l := roster.ImportLine{Number: number, Document: text}
		switch {
		case tooLong:
			l.Faults = faults(roster.FieldError{Code: roster.TooLong, Params: map[string]any{"max": MaxLine}})
		case !utf8.Valid(text):
			l.Faults = faults(roster.FieldError{Code: roster.Invalid, Message: "it is not UTF-8"})
		}
		if (tooLong || len(text) > 0) && !yield(l) {
			return nil
		}
		if err != nil {
			return nil
		}
	}
}

// readLine reads a line without keeping more of it than may be.
func readLine(in *bufio.Reader) (text []byte, tooLong bool, err error) {
	for {
		piece, err := in.ReadSlice('\n')
		if !tooLong {
			text = append(text, piece...)
		}
		if len(bytes.TrimRight(text, "\r\n")) > MaxLine {
			text, tooLong = nil, true
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return text, tooLong, err
		}
	}
}

func readTable(in *bufio.Reader, yield func(roster.ImportLine) bool) error {
	r := csvtext.NewReader(in, MaxLine)
	cells, _, err := r.Read()
	if err != nil {
		return headerFault(err)
	}
	columns, err := columnsOf(cells)
	if err != nil {
		return err
	}
	for {
		cells, number, err := r.Read()
		l := roster.ImportLine{Number: number}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, csvtext.ErrTooLong):
			l.Faults = faults(roster.FieldError{Code: roster.TooLong, Params: map[string]any{"max": MaxLine}})
		case errors.Is(err, csvtext.ErrQuotes):
			l.Faults = faults(roster.FieldError{Code: roster.Invalid, Message: err.Error()})
		case err != nil:
			return fmt.Errorf("read line %d: %w", number, err)
		case len(cells) != len(columns):
			l.Faults = faults(roster.FieldError{
				Code: roster.Invalid, Message: "it has another number of cells than the header",
				Params: map[string]any{"want": len(columns), "got": len(cells)},
			})
		default:
			l.Cells, l.Faults = cellsOf(columns, cells)
		}
		if !yield(l) {
			return nil
		}
	}
}

func cellsOf(columns []string, cells []*string) (map[string]*string, roster.FieldErrors) {
	list := make(map[string]*string, len(cells))
	for i, cell := range cells {
		if cell != nil {
			if !utf8.ValidString(*cell) {
				return nil, faults(roster.FieldError{Field: columns[i], Code: roster.Invalid, Message: "it is not UTF-8"})
			}
			cell = new(csvtext.Restore(*cell))
		}
		list[columns[i]] = cell
	}
	return list, nil
}

// maxColumns bounds what each line of a table costs.
const maxColumns = 500

// columnsOf reads the header: names, each of them once.
func columnsOf(cells []*string) ([]string, error) {
	if len(cells) > maxColumns {
		return nil, faults(roster.FieldError{Code: roster.TooLong, Message: "the file has too many columns", Params: map[string]any{"max": maxColumns}}).Err()
	}
	columns := make([]string, len(cells))
	seen := map[string]bool{}
	var list roster.FieldErrors
	for i, cell := range cells {
		if cell == nil || *cell == "" || !utf8.ValidString(*cell) {
			list = append(list, roster.FieldError{Code: roster.Invalid, Message: "a column has no name in the header"})
			continue
		}
		columns[i] = csvtext.Restore(*cell)
		if seen[columns[i]] {
			list = append(list, roster.FieldError{Field: columns[i], Code: roster.Invalid, Message: "two columns have this name"})
		}
		seen[columns[i]] = true
	}
	return columns, list.Err()
}

// headerFault is why a table has no header.
func headerFault(err error) error {
	fault := roster.FieldError{Code: roster.Invalid, Message: "the header cannot be read: " + err.Error()}
	switch {
	case errors.Is(err, io.EOF):
		fault = roster.FieldError{Code: roster.Required, Message: "the file is empty"}
	case errors.Is(err, csvtext.ErrTooLong):
		fault = roster.FieldError{Code: roster.TooLong, Message: "the header is too long", Params: map[string]any{"max": MaxLine}}
	case !errors.Is(err, csvtext.ErrQuotes):
		return fmt.Errorf("read the header: %w", err)
	}
	return faults(fault).Err()
}

func faults(list ...roster.FieldError) roster.FieldErrors { return list }
