package integration_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/rostertest"
)

// USER-5, USER-36, SEC-92, SEC-119: whatever a client sends, it is read or refused; every key that nobody knows, or
// that the writer may not write, is told.
func FuzzDecode(f *testing.F) {
	w := found(f, rostertest.Open(f, rostertest.SQLite))
	for _, seed := range []string{
		`{}`, `null`, `[]`, `{"a":1}`, `{"username":"a","email":null,"score":1.5,"nick":"\ud83d\ude00","plan":"x"}`, `{"nick":"\u0000"}`, `{"nick":"\ud800"}`,
		"{\"nick\":\"\xff\"}", `{"joined_at":"2026-01-02T03:04:05Z","company":{"a":[1,{}]}}`, `{"nick":"\\u0000"}`, `{"nick":"\ud800\udc00"`, `{"id":1,"ID":2}`,
	} {
		f.Add([]byte(seed))
	}
	rules := map[string]roster.Field{}
	for _, field := range w.Fields() {
		rules[field.Name] = field
	}
	derived := map[string]bool{}
	for _, name := range []string{"email_verified", "phone_verified", "banned", "archived", "deleted", "has_password", "permission", "provider", "password", "epoch"} {
		derived[name] = true
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		var members map[string]json.RawMessage
		object := json.Unmarshal(document, &members) == nil && members != nil
		for _, writer := range []roster.Writer{roster.WriterSignup, roster.WriterSelf, roster.WriterAdmin, ""} {
			u, err := w.Decode(t.Context(), document, writer)
			told := map[string]roster.FieldCode{}
			if e := (*roster.Error)(nil); errors.As(err, &e) {
				for _, fault := range e.Fields {
					told[fault.Field] = fault.Code
				}
			}
			if err != nil && !errors.Is(err, roster.ErrValidationFailed) || !object != (told[""] == roster.WrongType) {
				t.Fatalf("%q: %v", document, err)
			}
			for name := range members {
				switch field, ok := rules[name]; {
				case ok && !field.WritableBy(writer), derived[name]:
					if told[name] != roster.ForbiddenField {
						t.Errorf("%q: %s is %q, want forbidden_field", document, name, told[name])
					}
				case !ok:
					if told[name] != roster.UnknownField && told[name] != roster.ForbiddenField {
						t.Errorf("%q: %s is %q, want unknown_field", document, name, told[name])
					}
				}
			}
			if err != nil {
				continue
			}
			// What was read is read again from its own JSON, and can be stored or is refused by name.
			again, err := w.Decode(t.Context(), document, writer)
			if err != nil || !cmp.Equal(u, again) {
				t.Errorf("%q: %+v, then %+v, %v", document, u, again, err)
			}
			if _, err := w.Create(t.Context(), u); err == nil {
				if err := w.Delete(t.Context(), stored(t, w, u), roster.Remove); err != nil {
					t.Fatal(err)
				}
			} else if !errors.Is(err, roster.ErrValidationFailed) && !errors.Is(err, roster.ErrIdentifierTaken) {
				t.Errorf("%q: create: %v", document, err)
			}
		}
	})
}

// stored returns the id of the user that was made of u.
func stored(t *testing.T, w *world, u *Person) roster.ID {
	t.Helper()
	for _, s := range []*string{u.Username, u.Email, u.Phone} {
		if s != nil {
			found, err := w.GetByLogin(t.Context(), *s)
			if err != nil {
				t.Fatal(err)
			}
			return found.ID
		}
	}
	t.Fatal("a user without an identifier was stored")
	return roster.ID{}
}
