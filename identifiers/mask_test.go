package identifiers_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/identifiers"
)

// OTP-50, OTP-51.
func TestMaskEmail(t *testing.T) {
	for input, want := range map[string]string{
		"a@example.com":              "*@ex*****.***",
		"ab@example.com":             "a*@ex*****.***",
		"abc@example.com":            "a**@ex*****.***",
		"abcd@example.com":           "ab**@ex*****.***",
		"example@a.example.com":      "ex*****@*.ex*****.***",
		"example@example.co.za":      "ex*****@ex*****.**.**",
		"example@xn--bcher-kva.com":  "ex*****@bü****.***",
		"example@bücher.com":         "ex*****@bü****.***",
		"example@a.b.xn--p1ai":       "ex*****@*.*.**",
		"first.last@www.example.com": "fi********@w**.ex*****.***",
		"山田太郎@example.com":           "山田**@ex*****.***",
		"root@localhost":             "ro**@*********",
		"a@co.uk":                    "*@**.**",
	} {
		t.Run("masks "+input, func(t *testing.T) {
			if got, err := identifiers.MaskEmail(input); got != want || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		})
	}
	t.Run("keeps the domain of DNS on demand", func(t *testing.T) {
		want := "ex*****@xn***********.***"
		if got, err := identifiers.MaskEmailASCII("example@xn--bcher-kva.com"); got != want || err != nil {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	})
	for _, input := range []string{"", "a", "a@xn--bücher.com", "a@b@c.com", "\xff@example.com"} {
		t.Run("refuses "+input, func(t *testing.T) {
			if got, err := identifiers.MaskEmail(input); got != "" || !errors.Is(err, roster.ErrInvalidInput) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

// OTP-52.
func TestMaskPhone(t *testing.T) {
	for format, want := range map[identifiers.PhoneFormat]string{
		identifiers.E164:          "+*********34",
		identifiers.International: "+* ***-***-**34",
		identifiers.National:      "(***) ***-**34",
		identifiers.RFC3966:       "tel:+*-***-***-**34",
	} {
		t.Run("masks as "+want, func(t *testing.T) {
			if got, err := identifiers.MaskPhone("+12025550134", format); got != want || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	for _, input := range []string{"", "12", "+1 555", "2025550134", "\xff"} {
		t.Run("refuses "+input, func(t *testing.T) {
			if got, err := identifiers.MaskPhone(input, identifiers.E164); got != "" || !errors.Is(err, roster.ErrInvalidInput) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestMask(t *testing.T) {
	for _, tt := range []struct {
		name, stored, want string
		kind               identifiers.Kind
	}{
		{"masks usernames", "alice", "al***", identifiers.KindUsername},
		{"masks short usernames", "ab", "a*", identifiers.KindUsername},
		{"masks usernames of other scripts", "山田太郎", "山田**", identifiers.KindUsername},
		{"masks addresses", "Alice@example.com", "Al***@ex*****.***", identifiers.KindEmail},
		{"masks numbers", "+12025550134", "+*********34", identifiers.KindPhone},
		{"hides what is no username", "correct horse battery", "***", identifiers.KindUsername},
		{"hides what is no address", "alice", "***", identifiers.KindEmail},
		{"hides what is no number", "hunter2", "***", identifiers.KindPhone},
		{"hides what is nothing", "", "***", identifiers.KindUsername},
		{"hides what is of no kind", "alice", "***", "token"},
		{"hides line feeds", "a\nb", "***", identifiers.KindUsername},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := identifiers.Mask(tt.kind, tt.stored); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// OTP-53: of no part more than half is shown, whatever its length.
func TestMaskShowsHalf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		local := rapid.StringMatching(`[a-zé]{1,12}`).Draw(t, "local")
		domain := rapid.StringMatching(`([a-zé]{1,12}\.){1,4}(com|co\.uk|example)`).Draw(t, "domain")
		masked, err := identifiers.MaskEmail(local + "@" + domain)
		if err != nil {
			t.Skip()
		}
		for part := range strings.FieldsFuncSeq(masked, func(r rune) bool { return r == '@' || r == '.' }) {
			if shown := len([]rune(strings.Trim(part, "*"))); 2*shown > utf8.RuneCountInString(part) || shown > 2 {
				t.Fatalf("%q shows %d of %q", masked, shown, part)
			}
		}
	})
}
