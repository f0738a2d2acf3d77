package passwords_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/passwords"
)

// PASS-20, PASS-21, PASS-22, SEC-60, SEC-61: the table of password.md §4, as far as the limits go.
func TestLimits(t *testing.T) {
	t.Parallel()
	p := mustNew(t, passwords.Config{})
	const x = "x"
	decomposed := "α\u0313\u0300\u0345" // NFKC makes one code point of the four
	for name, c := range map[string]struct {
		password       string
		limit, minimum roster.FieldCode
	}{
		"empty":                            {"", roster.Invalid, ""},
		"no UTF-8":                         {"abcdefgh\xff", roster.Invalid, ""},
		"a surrogate":                      {"abcdefgh\xed\xa0\x80", roster.Invalid, ""},
		"U+0000":                           {"abc\x00defgh", roster.Invalid, ""},
		"short and U+0000":                 {"\x00", roster.Invalid, ""},
		"7":                                {"short7!", "", roster.TooShort},
		"7 of two bytes":                   {"äöüäöüä", "", roster.TooShort},
		"7 that are 14 before normalising": {strings.Repeat("a\u0308", 7), "", roster.TooShort},
		"8 that are 2 before normalising":  {"ﷺ", "", ""}, // 18, in fact
		"8":                                {"xkqjvzwp", "", ""},
		"8 emoji":                          {"😀🚲🌧🧦🪁🫖🧊🪴", "", ""},
		"digits":                           {"83920174655", "", ""},
		"spaces":                           {"  spaces kept  ", "", ""},
		"8 spaces":                         {"        ", "", ""},
		"1,024":                            {strings.Repeat(x, 1024), "", ""},
		"1,024 of four bytes":              {strings.Repeat("😀", 1024), "", ""},
		"1,024 that are 4,096 before":      {strings.Repeat(decomposed, 1024), "", ""},
		"1,025":                            {strings.Repeat(x, 1025), roster.TooLong, ""},
		"1,025 that are 4,100 before":      {strings.Repeat(decomposed, 1025), roster.TooLong, ""},
		"1,026 that are 57 before":         {strings.Repeat("ﷺ", 57), roster.TooLong, ""},
		"one, many times marked":           {"a" + strings.Repeat("\u0300", 20_000), roster.TooLong, ""},
	} {
		var limit, minimum roster.FieldErrors
		if c.limit == roster.TooLong {
			limit = roster.FieldErrors{{Field: "old_password", Code: c.limit, Params: map[string]any{"max": 1024}}}
		} else if c.limit != "" {
			limit = roster.FieldErrors{{Field: "old_password", Code: c.limit}}
		}
		if c.minimum != "" {
			minimum = roster.FieldErrors{{Field: "old_password", Code: c.minimum, Params: map[string]any{"min": 8}}}
		}
		if diff := cmp.Diff(limit, p.CheckLimits("old_password", roster.Secret(c.password))); diff != "" {
			t.Errorf("%s: limits (-want +got)\n%s", name, diff)
		}
		if diff := cmp.Diff(minimum, p.CheckMinimum("old_password", roster.Secret(c.password))); diff != "" {
			t.Errorf("%s: minimum (-want +got)\n%s", name, diff)
		}
	}
}

// PASS-22: the NIST preset.
func TestMinimumOfNIST(t *testing.T) {
	t.Parallel()
	p := mustNew(t, passwords.Config{Preset: passwords.NIST})
	if got := p.CheckMinimum("password", roster.Secret(strings.Repeat("x", 14))); len(got) != 1 {
		t.Errorf("14: got %v", got)
	}
	if got := p.CheckMinimum("password", roster.Secret(strings.Repeat("x", 15))); len(got) != 0 {
		t.Errorf("15: got %v", got)
	}
}

// PASS-20: a huge text is refused for its size alone.
func TestHugePassword(t *testing.T) {
	t.Parallel()
	p := mustNew(t, passwords.Config{Hasher: &fake{}})
	huge := roster.Secret(strings.Repeat("ﷺ", 64<<20/3))
	took := elapsed(func() {
		faults := p.CheckLimits("password", huge)
		_, err := p.Hash(t.Context(), huge)
		if len(faults) != 1 || faults[0].Code != roster.TooLong || err == nil {
			t.Errorf("got %v, %v", faults, err)
		}
	})
	if took > 100*time.Millisecond { // normalising takes seconds
		t.Errorf("64 MiB took %v", took)
	}
}

// PASS-20: whatever Hash takes keeps the limits, and the other way round.
func TestLimitsAreThoseOfHash(t *testing.T) {
	t.Parallel()
	p := mustNew(t, passwords.Config{Hasher: &fake{}, MaxLength: 64})
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.StringN(0, 80, -1), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "text")
		faults := p.CheckLimits("password", roster.Secret(text))
		_, err := p.Hash(t.Context(), roster.Secret(text))
		if diff := cmp.Diff(faults, fieldErrors(err)); diff != "" {
			t.Errorf("(-limits +Hash)\n%s", diff)
		}
	})
}
