package passwords

import (
	_ "embed"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// commonList holds the most used passwords of 8 and more characters, folded, one a line, sorted by bytes. It stays in
// the program's read-only data: nothing of it is ever on the heap. See common_LICENSE.txt.
//
//go:embed common.txt
var commonList string

// fold is the form in which texts are compared when case and spelling do not count.
func fold(text string) string {
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(text)))
}

// isCommon reports whether a folded password is on the list.
func isCommon(folded string) bool {
	from, to := 0, len(commonList) // both at the beginning of a line
	for from < to {
		middle := from + (to-from)/2
		begin := from + strings.LastIndexByte(commonList[from:middle], '\n') + 1
		line, _, _ := strings.Cut(commonList[begin:to], "\n")
		switch strings.Compare(folded, line) {
		case 0:
			return true
		case -1:
			to = begin
		default:
			from = begin + len(line) + 1
		}
	}
	return false
}

// fewerThan3 reports whether a text has fewer than three distinct code points.
func fewerThan3(text string) bool {
	seen := map[rune]bool{}
	for _, r := range text {
		if seen[r] = true; len(seen) == 3 {
			return false
		}
	}
	return true
}
