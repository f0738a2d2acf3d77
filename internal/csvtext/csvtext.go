// Package csvtext writes and reads tables as RFC 4180 has them, in which no cell is taken for a formula.
package csvtext

import (
	"strings"
	"unicode"
)

// Row is a line of cells, with its end; nil is an empty cell. All others are in quotes, so that no program takes a
// semicolon or tab in one for the end of it, and what comes after for a formula, and an empty text is told from none.
func Row(cells []*string) string {
	var row strings.Builder
	for i, cell := range cells {
		if i > 0 {
			row.WriteByte(',')
		}
		if cell != nil {
			row.WriteString(`"` + strings.ReplaceAll(Defuse(*cell), `"`, `""`) + `"`)
		}
	}
	row.WriteString("\r\n")
	return row.String()
}

// Texts are cells none of which is empty.
func Texts(list []string) []*string {
	cells := make([]*string, len(list))
	for i := range list {
		cells[i] = &list[i]
	}
	return cells
}

// Defuse returns a cell that no spreadsheet takes for a formula, with an apostrophe before it where it needs one.
func Defuse(cell string) string {
	if explosive(cell) {
		return "'" + cell
	}
	return cell
}

// Restore takes off the apostrophe of Defuse, and no other.
func Restore(cell string) string {
	if rest, ok := strings.CutPrefix(cell, "'"); ok && explosive(rest) {
		return rest
	}
	return cell
}

// explosive reports whether a cell may be a formula, also for programs that pass over white space or read full-width
// signs; or is one with apostrophes before it, which Restore must not take for those of Defuse.
func explosive(cell string) bool {
	cell = strings.TrimLeft(cell, "'")
	text := strings.TrimLeftFunc(cell, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
	if len(text) < len(cell) {
		return true
	}
	for _, r := range text {
		return strings.ContainsRune("=+-@＝＋－＠", r)
	}
	return false
}
