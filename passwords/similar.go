package passwords

import (
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// Owner is whose password is judged, as far as the policy looks at it. "" is what they do not have.
type Owner struct {
	Username, Email, Phone string
}

const (
	minPart     = 4 // code points; shorter ones are in many good passwords
	phoneTail   = 7 // digits by which people know their number
	maxDistance = 2
	minRest     = 8 // code points beside a part
)

// parts are what others know of the owner, folded.
func (o Owner) parts() []string {
	list := []string{o.Username}
	if at := strings.LastIndexByte(o.Email, '@'); at >= 0 {
		list = append(list, o.Email[:at])
		list = append(list, registrable(o.Email[at+1:])...)
	}
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, o.Phone)
	list = append(list, digits, digits[max(0, len(digits)-phoneTail):])
	for i, part := range list {
		list[i] = fold(part)
	}
	return slices.DeleteFunc(list, func(part string) bool { return utf8.RuneCountInString(part) < minPart })
}

// registrable is the label of a domain that its owner has chosen, such as "example" in mail.example.co.uk, as it is read
// and as it is sent.
func registrable(domain string) []string {
	ascii, err := idna.Lookup.ToASCII(domain)
	if err != nil {
		ascii = strings.ToLower(domain)
	}
	if whole, err := publicsuffix.EffectiveTLDPlusOne(ascii); err == nil {
		ascii = whole
	}
	label, _, _ := strings.Cut(ascii, ".")
	if shown, err := idna.ToUnicode(label); err == nil && shown != label {
		return []string{label, shown}
	}
	return []string{label}
}

// similar reports whether a folded password is little else than something that is known of its owner: a part or its
// reverse, a part with a few changes, or a part with few characters beside it.
func similar(folded string, o Owner) bool {
	password := []rune(folded)
	return slices.ContainsFunc(o.parts(), func(part string) bool {
		p := []rune(part)
		if near(password, p) {
			return true
		}
		if strings.Contains(folded, part) && utf8.RuneCountInString(strings.ReplaceAll(folded, part, "")) < minRest {
			return true
		}
		slices.Reverse(p)
		return slices.Equal(password, p)
	})
}

// near reports whether at most maxDistance insertions, deletions and replacements make one text of the other.
func near(a, b []rune) bool {
	if len(a)-len(b) > maxDistance || len(b)-len(a) > maxDistance {
		return false
	}
	// row[j] is the distance of a[:i] and b[:j].
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)] <= maxDistance
}
