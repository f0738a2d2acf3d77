package identifiers

import (
	"maps"
	"slices"
	"sync"
	"unicode"
)

// maxMarks is how many marks may follow one another: more pile up over the neighbouring lines.
const maxMarks = 4

// letters judges the letters and marks of a text, code point by code point.
type letters struct {
	scripts scriptMix
	open    bool // a mark may follow
	marks   int  // in a row
}

// take reports whether r is a letter, or a mark in a place where one may be.
func (l *letters) take(r rune) bool {
	switch {
	case unicode.IsLetter(r):
		l.open, l.marks = true, 0
	case l.open && l.marks < maxMarks && unicode.In(r, unicode.Mn, unicode.Mc):
		l.marks++
	default:
		return false
	}
	// Fillers and variation selectors are letters and marks that nobody sees.
	if r > unicode.MaxLatin1 && unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) {
		return false
	}
	l.scripts.add(r)
	return true
}

// end says that something else follows, on which no mark can sit.
func (l *letters) end() { l.open = false }

// script is a script with its code points.
type script struct {
	name  string
	table *unicode.RangeTable
}

// allScripts are the scripts of Unicode, those first that most names are written in.
var allScripts = sync.OnceValue(func() []script {
	names := []string{"Latin", "Common", "Inherited", "Han", "Cyrillic", "Arabic", "Hiragana", "Katakana", "Hangul", "Devanagari", "Greek"}
	for _, name := range slices.Sorted(maps.Keys(unicode.Scripts)) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	all := make([]script, len(names))
	for i, name := range names {
		all[i] = script{name, unicode.Scripts[name]}
	}
	return all
})

// mixtures returns the sets of scripts that one language writes with (UTS 39, "highly restrictive").
func mixtures() [][]string {
	return [][]string{
		{"Latin", "Han", "Hiragana", "Katakana"},
		{"Latin", "Han", "Bopomofo"},
		{"Latin", "Han", "Hangul"},
	}
}

// scriptMix collects the scripts of a text.
type scriptMix struct {
	found [5]script // one more than any mixture has
	n     int
}

func (m *scriptMix) add(r rune) {
	is := func(s script) bool { return unicode.Is(s.table, r) }
	if m.n == len(m.found) || slices.ContainsFunc(m.found[:m.n], is) {
		return
	}
	all := allScripts()
	i := slices.IndexFunc(all, is)
	if i < 0 || all[i].name == "Common" || all[i].name == "Inherited" {
		return
	}
	m.found[m.n] = all[i]
	m.n++
}

// mixed reports whether the scripts are none that belong together.
func (m *scriptMix) mixed() bool {
	if m.n <= 1 {
		return false
	}
	return !slices.ContainsFunc(mixtures(), func(mixture []string) bool {
		return m.within(func(name string) bool { return slices.Contains(mixture, name) })
	})
}

// within reports whether all scripts are allowed.
func (m *scriptMix) within(allowed func(name string) bool) bool {
	return !slices.ContainsFunc(m.found[:m.n], func(s script) bool { return !allowed(s.name) })
}
