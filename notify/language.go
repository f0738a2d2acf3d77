package notify

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/language"
)

// languages finds the best of some for a person's preferences (BCP 47, RFC 4647).
type languages struct {
	names   []string // English first
	matcher language.Matcher
}

// matchers makes equal languages once: those of most kinds are the same.
type matchers map[string]languages

func (m matchers) of(names []string) languages {
	slices.SortFunc(names, func(a, b string) int {
		if (a == english) != (b == english) {
			if a == english {
				return -1
			}
			return 1
		}
		return cmp.Compare(a, b)
	})
	names = slices.Compact(names)
	key := strings.Join(names, ",")
	if known, ok := m[key]; ok {
		return known
	}
	tags := make([]language.Tag, len(names))
	for i, name := range names {
		tags[i] = language.Make(name)
	}
	m[key] = languages{names: names, matcher: language.NewMatcher(tags)}
	return m[key]
}

// maxPreferences bounds how much of a header is read.
const maxPreferences = 20

func (l languages) match(preferences []string) string {
	for _, preference := range preferences {
		for _, tag := range parsePreference(preference) {
			if _, i, confidence := l.matcher.Match(tag); confidence >= language.High {
				return l.names[i]
			}
		}
	}
	return l.names[0]
}

// parsePreference returns the languages of a tag or a header, the favourite first. What is none is passed over.
func parsePreference(preference string) []language.Tag {
	type weighted struct {
		tag    language.Tag
		weight float32
	}
	var list []weighted
	for i, part := range strings.SplitN(preference, ",", maxPreferences+1) {
		if i == maxPreferences {
			break
		}
		tags, weights, err := language.ParseAcceptLanguage(part)
		if err == nil && len(tags) == 1 {
			list = append(list, weighted{tags[0], weights[0]})
		}
	}
	slices.SortStableFunc(list, func(a, b weighted) int { return cmp.Compare(b.weight, a.weight) })
	tags := make([]language.Tag, len(list))
	for i, w := range list {
		tags[i] = w.tag
	}
	return tags
}

// functions are those that templates of a language can call.
func functions(name string) map[string]any {
	base, _ := language.Make(name).Base()
	return map[string]any{
		"duration": func(d time.Duration) string { return sayDuration(base.String(), d) },
		"datetime": sayTime,
		printFunc:  printLine,
	}
}

// sayDuration says a duration in the largest unit that it fills: up to two days in hours, below in minutes. Languages
// that it does not know get the symbols of the units.
func sayDuration(base string, d time.Duration) string {
	const day = 24 * time.Hour
	units := map[string][3][2]string{
		"en": {{"day", "days"}, {"hour", "hours"}, {"minute", "minutes"}},
		"de": {{"Tag", "Tage"}, {"Stunde", "Stunden"}, {"Minute", "Minuten"}},
	}
	unit, ok := units[base]
	if !ok {
		unit = [3][2]string{{"d", "d"}, {"h", "h"}, {"min", "min"}}
	}
	say := func(size time.Duration, words [2]string) string {
		n := int64(d / size)
		if n == 1 {
			return "1 " + words[0]
		}
		return strconv.FormatInt(n, 10) + " " + words[1]
	}
	switch {
	case d >= 2*day && d%day == 0:
		return say(day, unit[0])
	case d >= time.Hour && d%time.Hour == 0:
		return say(time.Hour, unit[1])
	}
	return say(time.Minute, unit[2])
}

// sayTime says a time in the same way in every language (ISO 8601, but for the zone).
func sayTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
