package csvtext_test

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/roster-go/roster/internal/csvtext"
)

// ADMIN-69: what is written comes back as it was, whatever it is, and no cell begins as a formula.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	text := rapid.OneOf(rapid.String(), rapid.StringMatching(`['=+@\-\t\r\n "a,;]{0,6}`))
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.Ptr(text, true), 2, 5).Draw(t, "cells")
		row := csvtext.Row(want)
		if rapid.Bool().Draw(t, "line feeds alone") {
			row = strings.TrimSuffix(row, "\r\n") + "\n"
		}
		got, _, err := csvtext.NewReader(bufio.NewReader(strings.NewReader(row)), 1<<20).Read()
		if err != nil {
			t.Fatalf("%q: %v", row, err)
		}
		for i, cell := range got {
			if cell == nil {
				continue
			}
			if strings.ContainsAny((*cell + " ")[:1], "=+-@\t\r") {
				t.Errorf("%q can be a formula", *cell)
			}
			*got[i] = csvtext.Restore(*cell)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", row, diff)
		}
	})
}

func TestRestoreLeavesOthers(t *testing.T) {
	t.Parallel()
	for _, cell := range []string{"", "'", "'t Hooft", "''", "a'=1"} {
		if got := csvtext.Restore(csvtext.Defuse(cell)); got != cell || csvtext.Defuse(cell) != cell || csvtext.Restore(cell) != cell {
			t.Errorf("%q became %q, %q", cell, csvtext.Defuse(cell), got)
		}
	}
}

// show writes a record with a bar after each cell; an empty one is a dot.
func show(cells []*string) string {
	var b strings.Builder
	for _, cell := range cells {
		if cell == nil {
			b.WriteString(".|")
		} else {
			b.WriteString(*cell + "|")
		}
	}
	return b.String()
}

func TestRead(t *testing.T) {
	t.Parallel()
	const file = "a,\"b\"\n\r\n1,\r\n\"x\r\n\"\"y\"\"\",\" z\"\n" + // lines 1, 3, 4
		"\"a\"b,c\nbad\"quote,d\n" + // 6, 7
		"0123456789012345678901234567890123456789,\"\n\"\nlast,\"open\n" // 8, 10
	r := csvtext.NewReader(bufio.NewReader(strings.NewReader(file)), 30)
	for _, want := range []struct {
		line int
		text string
		err  error
	}{
		{1, "a|b|", nil},
		{3, "1|.|", nil},
		{4, "x\r\n\"y\"| z|", nil},
		{6, "|", csvtext.ErrQuotes},
		{7, "|", csvtext.ErrQuotes},
		{8, "|", csvtext.ErrTooLong},
		{10, "|", csvtext.ErrQuotes},
		{11, "", io.EOF},
	} {
		cells, line, err := r.Read()
		if !errors.Is(err, want.err) || show(cells) != want.text || line != want.line {
			t.Errorf("line %d: %q, %v, want %+v", line, show(cells), err, want)
		}
	}
}
