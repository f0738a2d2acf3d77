package csvtext

import (
	"bufio"
	"errors"
	"io"
)

// The faults of a record.
var (
	ErrTooLong = errors.New("the record is too long")
	ErrQuotes  = errors.New("a quote is in the wrong place")
)

// Reader reads records, each within a limit.
type Reader struct {
	in   *bufio.Reader
	most int // bytes of a record
	line int // lines that were read
}

// NewReader returns a reader of records of so many bytes at most.
func NewReader(in *bufio.Reader, most int) *Reader { return &Reader{in: in, most: most} }

// Read returns the next record and the number of the line on which it begins. Lines without a character are passed
// over. A record with a fault is read to its end, so that the next call goes on after it; io.EOF is the end.
func (r *Reader) Read() (cells []*string, line int, err error) {
	for {
		line = r.line + 1
		cells, err = r.record()
		if err != nil || len(cells) > 1 || cells[0] != nil {
			return cells, line, err
		}
	}
}

// record reads a record, also one of a single empty cell.
func (r *Reader) record() (cells []*string, err error) {
	p := record{most: r.most}
	for {
		c, err := r.in.ReadByte()
		if err != nil {
			if errors.Is(err, io.EOF) && p.begun {
				return p.end(p.state == inQuotes)
			}
			return nil, err
		}
		if c == '\n' {
			r.line++
			if p.state != inQuotes {
				return p.end(false)
			}
		}
		p.take(c)
	}
}

// state is where in a cell the reader is.
type state int

const (
	start state = iota
	bare
	inQuotes
	afterQuote // the end of the quotes, or the first of two
	afterCR    // behind it: the end of the line comes next
)

// record is one that is being read.
type record struct {
	most  int
	state state
	begun bool
	size  int
	cell  []byte
	cells []*string
	fault error
}

func (p *record) take(c byte) {
	p.begun = true
	if p.size++; p.size > p.most {
		p.fault = ErrTooLong
		p.cells, p.cell = nil, nil
	}
	switch {
	case p.state == inQuotes && c == '"':
		p.state = afterQuote
	case p.state == inQuotes:
		p.keep(c)
	case p.state == afterQuote && c == '"':
		p.state = inQuotes
		p.keep(c)
	case c == ',' && p.state != afterCR:
		p.endCell()
	case p.state == start && c == '"':
		p.state = inQuotes
	case p.state == afterQuote && c == '\r':
		p.state = afterCR
	case p.state == afterQuote, p.state == afterCR, c == '"':
		p.complain(ErrQuotes)
	default:
		p.state = bare
		p.keep(c)
	}
}

func (p *record) keep(c byte) {
	if p.fault == nil {
		p.cell = append(p.cell, c)
	}
}

func (p *record) complain(err error) {
	if p.fault == nil {
		p.fault = err
	}
}

func (p *record) endCell() {
	if p.fault == nil {
		var cell *string
		if p.state != start {
			cell = new(string(p.cell))
		}
		p.cells = append(p.cells, cell)
	}
	p.state, p.cell = start, p.cell[:0]
}

// end is the record with its last cell, without the CR of its end.
func (p *record) end(open bool) ([]*string, error) {
	if n := len(p.cell); p.state == bare && n > 0 && p.cell[n-1] == '\r' {
		if p.cell = p.cell[:n-1]; n == 1 {
			p.state = start
		}
	}
	p.endCell()
	if open {
		p.complain(ErrQuotes)
	}
	if p.fault != nil {
		return []*string{new(string)}, p.fault
	}
	return p.cells, nil
}
