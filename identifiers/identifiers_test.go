package identifiers_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/identifiers"
)

func newParser(t testing.TB, cfg identifiers.Config) *identifiers.Parser {
	t.Helper()
	p, err := identifiers.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// same checks that one way to read an identifier gives both its forms, or the faults.
func same(t *testing.T, input string, got identifiers.Identifier, codes []roster.FieldCode, want identifiers.Identifier, faults ...roster.FieldCode) {
	t.Helper()
	if diff := cmp.Diff(faults, codes); diff != "" {
		t.Errorf("%+q: codes (-want +got):\n%s", input, diff)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%+q: identifier (-want +got):\n%s", input, diff)
	}
}

func TestConfig(t *testing.T) {
	t.Run("accepts the zero value", func(t *testing.T) {
		newParser(t, identifiers.Config{})
	})
	t.Run("tells all faults at once", func(t *testing.T) {
		_, err := identifiers.New(identifiers.Config{
			Username: identifiers.UsernameConfig{MinLength: -1, MaxLength: 321, Scripts: []string{"Latin", "Klingon", "Common"}},
			Phone:    identifiers.PhoneConfig{DefaultRegion: "UK", Countries: []string{"US", "ZZ", "001"}},
		})
		if err == nil {
			t.Fatal("no error")
		}
		for _, want := range []string{"-1", "321", `"Klingon"`, `"Common"`, `"UK"`, `"ZZ"`, `"001"`} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not name %s", err, want)
			}
		}
	})
	t.Run("refuses a maximum under the minimum", func(t *testing.T) {
		for _, cfg := range []identifiers.UsernameConfig{{MinLength: 5, MaxLength: 4}, {MaxLength: 2}, {MinLength: 33}, {MaxLength: -1}} {
			if _, err := identifiers.New(identifiers.Config{Username: cfg}); err == nil {
				t.Errorf("%+v: no error", cfg)
			}
		}
	})
}

// IDENT-1: trimmed, then normalised, then validated; too long, not UTF-8 and U+0000 before any of it.
func TestOrder(t *testing.T) {
	p := newParser(t, identifiers.Config{Phone: identifiers.PhoneConfig{DefaultRegion: "US"}})
	kinds := map[string]func(string) (identifiers.Identifier, []roster.FieldCode){
		"username": p.Username,
		"email": func(s string) (identifiers.Identifier, []roster.FieldCode) {
			return p.Email(t.Context(), s)
		},
		"phone": p.Phone,
	}
	valid := map[string]identifiers.Identifier{
		"username": {Stored: "Alice", Canonical: "alice"},
		"email":    {Stored: "Alice@example.com", Canonical: "alice@example.com"},
		"phone":    {Stored: "+12025550123", Canonical: "+12025550123"},
	}
	for kind, parse := range kinds {
		stored := valid[kind].Stored
		t.Run(kind+" is trimmed of Unicode white space", func(t *testing.T) {
			for _, input := range []string{" " + stored, stored + "\n", "\t\u00a0\u3000\u2028" + stored + "\u0085\u205f\r\n"} {
				got, codes := parse(input)
				same(t, input, got, codes, valid[kind])
			}
		})
		t.Run(kind+" is invalid when blank, not UTF-8, or with U+0000", func(t *testing.T) {
			for _, input := range []string{"", " ", "\u2003\n", stored + "\xff", "\xc0\x80" + stored, stored + "\x00", "\x00", stored[:3] + "\x00" + stored[3:], "\xed\xa0\x80"} {
				got, codes := parse(input)
				same(t, input, got, codes, identifiers.Identifier{}, roster.Invalid)
			}
		})
		t.Run(kind+" is too long over 1,024 bytes, white space included", func(t *testing.T) {
			for _, input := range []string{strings.Repeat(" ", 1025-len(stored)) + stored, strings.Repeat("a", 1025), strings.Repeat("\xff", 1<<20)} {
				got, codes := parse(input)
				same(t, input[:3], got, codes, identifiers.Identifier{}, roster.TooLong)
			}
			input := strings.Repeat(" ", 1024-len(stored)) + stored
			got, codes := parse(input)
			same(t, input, got, codes, valid[kind])
		})
	}
}

// IDENT-2: what is typed goes into a stored and a canonical form, and neither is the text as typed.
func TestForms(t *testing.T) {
	p := newParser(t, identifiers.Config{Phone: identifiers.PhoneConfig{DefaultRegion: "US"}})
	t.Run("keeps a username's case in the stored form only", func(t *testing.T) {
		got, codes := p.Username(" Ａlice１ ")
		same(t, "Ａlice１", got, codes, identifiers.Identifier{Stored: "Alice1", Canonical: "alice1"})
	})
	t.Run("keeps the case of a local part in the stored form only", func(t *testing.T) {
		got, codes := p.Email(t.Context(), "\tBob@Bücher.Example\n")
		same(t, "Bob@Bücher.Example", got, codes, identifiers.Identifier{Stored: "Bob@xn--bcher-kva.example", Canonical: "bob@xn--bcher-kva.example"})
	})
	t.Run("has one form of a phone number", func(t *testing.T) {
		got, codes := p.Phone("(202) 555-0123")
		same(t, "(202) 555-0123", got, codes, identifiers.Identifier{Stored: "+12025550123", Canonical: "+12025550123"})
	})
}

// IDENT-14.
func TestCheck(t *testing.T) {
	var asked []string
	refusal := map[string]error{
		"throwaway.example": errors.New("no such mail server"),
		"taken.example": roster.ErrValidationFailed.WithFields(
			roster.FieldError{Field: "email", Code: roster.Taken}, roster.FieldError{Field: "", Code: roster.Taken},
			roster.FieldError{Field: "email", Code: roster.Reserved}),
		"plain.example": roster.ErrForbidden,
	}
	type key struct{}
	p := newParser(t, identifiers.Config{Email: identifiers.EmailConfig{Check: func(ctx context.Context, address string) error {
		if ctx.Value(key{}) != "given" {
			t.Error("another context")
		}
		asked = append(asked, address)
		_, domain, _ := strings.Cut(address, "@")
		return refusal[domain]
	}}})
	ctx := context.WithValue(t.Context(), key{}, "given")

	for _, tt := range []struct {
		name, input string
		want        identifiers.Identifier
		codes       []roster.FieldCode
	}{
		{"accepts what the check accepts", " A@Example.com", identifiers.Identifier{Stored: "A@example.com", Canonical: "a@example.com"}, nil},
		{"tells any error as invalid", "a@throwaway.example", identifiers.Identifier{}, []roster.FieldCode{roster.Invalid}},
		{"tells the codes of field errors, each once", "a@taken.example", identifiers.Identifier{}, []roster.FieldCode{roster.Reserved, roster.Taken}},
		{"tells an error without fields as invalid", "a@plain.example", identifiers.Identifier{}, []roster.FieldCode{roster.Invalid}},
		{"does not ask about what is invalid", "a@b@c", identifiers.Identifier{}, []roster.FieldCode{roster.Invalid}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, codes := p.Email(ctx, tt.input)
			same(t, tt.input, got, codes, tt.want, tt.codes...)
		})
	}
	t.Run("asks with the stored form, and never for a look-up", func(t *testing.T) {
		if key, ok := p.Canonical(identifiers.KindEmail, "a@throwaway.example"); key != "a@throwaway.example" || !ok {
			t.Errorf("Canonical = %q, %v", key, ok)
		}
		p.CounterKey("a@throwaway.example")
		want := []string{"A@example.com", "a@throwaway.example", "a@taken.example", "a@plain.example"}
		if diff := cmp.Diff(want, asked); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
