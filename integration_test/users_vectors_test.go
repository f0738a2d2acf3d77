package integration_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"
	"pgregory.net/rapid"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/identifiers"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/usersrepo"
)

// vector is an input of one kind of identifier: what is stored and compared of it, or its faults.
type vector struct {
	rule, input, stored, canonical string
	faults                         []roster.FieldCode
}

// valid is a vector for each input that is stored as it is.
func valid(rule string, inputs ...string) []vector {
	var list []vector
	for _, input := range inputs {
		list = append(list, vector{rule: rule, input: input, stored: input, canonical: strings.ToLower(input)})
	}
	return list
}

func faulty(rule string, code roster.FieldCode, inputs ...string) []vector {
	var list []vector
	for _, input := range inputs {
		list = append(list, vector{rule: rule, input: input, faults: []roster.FieldCode{code}})
	}
	return list
}

func vectors(lists ...[]vector) []vector {
	var all []vector
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}

var usernameVectors = vectors(
	valid("IDENT-6", "valid.username", "valid-username", "valid_username", "validUsername", "abc", "a.b-c_d", "name-"),
	[]vector{
		{"IDENT-1", " alice ", "alice", "alice", nil},
		{"IDENT-1", "alice\n", "alice", "alice", nil},
		{"IDENT-4", "e\u0301ric", "\u00e9ric", "\u00e9ric", nil},
		{"IDENT-4", "Ａlice", "Alice", "alice", nil},
		{"IDENT-4", "ﬁona", "fiona", "fiona", nil},
		{"IDENT-4", "Ⅰvan", "Ivan", "ivan", nil},
		{"IDENT-4", "ſam", "sam", "sam", nil},
		{"IDENT-4", "Straße", "Straße", "strasse", nil},
		{"IDENT-4", "\u212aelvin", "Kelvin", "kelvin", nil},
		{"IDENT-4", "ΣΊΣΥΦΟΣ", "ΣΊΣΥΦΟΣ", "σίσυφοσ", nil},
		{"IDENT-6", "ትክክለኛ-የተጠቃሚ-ስም", "ትክክለኛ-የተጠቃሚ-ስም", "ትክክለኛ-የተጠቃሚ-ስም", nil},
		{"IDENT-6", "Ἀθηνᾶ", "Ἀθηνᾶ", "ἀθηνᾶ", nil},
		{"IDENT-7", "ユーザー", "ユーザー", "ユーザー", nil},
		{"IDENT-7", "山田taro", "山田taro", "山田taro", nil},
		{"IDENT-4", "name0", "name0", "name0", nil},
		{"IDENT-4", "name０", "name0", "name0", nil},
		{"IDENT-4", "name٠", "name٠", "name0", nil},
		{"IDENT-5", "ﬃ", "ffi", "ffi", nil},
	},
	valid("IDENT-5", strings.Repeat("a", 32)),
	faulty("IDENT-5", roster.TooShort, "ab"),
	faulty("IDENT-5", roster.TooLong, strings.Repeat("a", 33)),
	faulty("IDENT-1", roster.TooLong, strings.Repeat(" ", 1024)+"a"),
	faulty("IDENT-1", roster.Invalid, "", " ", "ab\xffcd", "ab\x00cd"),
	faulty("IDENT-6", roster.Invalid, "ﷺ", "①2025551234", "²abc", "⑴abc", "½x1", "0abc", "０abc", "٠abc", "፩name", "name፩", ".abc",
		"-abc", "_abc", "+abc", "\u0301abc", "a b c", "a@b", "ab\u200dc", "ab\u00adc", "ab😀c", "a/b", "a\nb", "<b>abc"),
	faulty("IDENT-7", roster.MixedScripts, "pаypal", "αdmin"),
	faulty("IDENT-8", roster.Invalid, "a1٢"),
	faulty("IDENT-9", roster.Reserved, "admin", "Admin", "ad.min", "a-d-m-i-n", "ＡＤＭＩＮ", "Settings", "API", "every.one"),
	faulty("IDENT-3", roster.Invalid, printedNumbers()...),
)

// printedNumbers are the ways in which phone numbers are written: none of them is a username.
func printedNumbers() []string {
	list := []string{"800sixflag", "(800)six-flag", "+1800-six-flag", "001800-six-flag"}
	for _, region := range []string{"US", "ET", "GB"} {
		number := phonenumbers.GetExampleNumber(region)
		for _, extension := range []string{"", "123"} {
			if extension != "" {
				number.Extension = &extension
			}
			for format := phonenumbers.E164; format <= phonenumbers.RFC3966; format++ {
				list = append(list, phonenumbers.Format(number, format))
			}
		}
	}
	return list
}

var emailVectors = vectors(
	[]vector{
		{"IDENT-11", "a@EXAMPLE.com", "a@example.com", "a@example.com", nil},
		{"IDENT-1", " a@example.com ", "a@example.com", "a@example.com", nil},
		{"IDENT-11", "Bob@Example.COM", "Bob@example.com", "bob@example.com", nil},
		{"IDENT-11", "a@bücher.example", "a@xn--bcher-kva.example", "a@xn--bcher-kva.example", nil},
		{"IDENT-11", "a@bÜcher.example", "a@xn--bcher-kva.example", "a@xn--bcher-kva.example", nil},
		{"IDENT-11", "a@xn--bcher-kva.example", "a@xn--bcher-kva.example", "a@xn--bcher-kva.example", nil},
		{"IDENT-11", "a@faß.de", "a@xn--fa-hia.de", "a@xn--fa-hia.de", nil},
		{"IDENT-11", "a@münchen。de", "a@xn--mnchen-3ya.de", "a@xn--mnchen-3ya.de", nil},
		{"IDENT-11", "a@ｅxample.com", "a@example.com", "a@example.com", nil},
		{"IDENT-11", "a@exаmple.com", "a@xn--exmple-4nf.com", "a@xn--exmple-4nf.com", nil},
	},
	valid("IDENT-14", "a+x@example.com", "a.b@example.com"),
	valid("IDENT-12", strings.Repeat("a", 64)+"@example.com"),
	valid("IDENT-13", "a@"+strings.Repeat("b.", 124)+"b.de"),
	faulty("IDENT-13", roster.Invalid, "a@xn--123.example", "a@xn--.com", "a@ex_ample.com", "a@-a.com", "a@a..com", "a@example.com.", "a@*.com",
		"a@127.0.0.1", "a@[127.0.0.1]", "a@localhost"),
	faulty("IDENT-11", roster.Invalid, "a", "@example.com", "a@", "a@b@example.com", "a@@example.com", "a＠example.com"),
	faulty("IDENT-12", roster.Invalid, ".a@example.com", "a.@example.com", "a..b@example.com", `"a b"@example.com`, "a b@example.com",
		"Bob <a@example.com>", "a@example.com\r\nBcc: x@y.z", "ａ@example.com"),
	faulty("IDENT-12", roster.TooLong, strings.Repeat("a", 65)+"@example.com"),
	faulty("IDENT-13", roster.TooLong, "aa@"+strings.Repeat("b.", 124)+"b.de"),
	faulty("IDENT-1", roster.Invalid, "", " ", "a\xff@example.com", "a\x00@example.com"),
	faulty("IDENT-1", roster.TooLong, strings.Repeat(" ", 1024)+"a@example.com"),
)

// phoneVectors are those of each default region.
var phoneVectors = map[string][]vector{
	"": vectors(
		[]vector{
			{"IDENT-16", "+1 (202) 555-0123", "+12025550123", "+12025550123", nil},
			{"IDENT-15", "+4402083661177", "+442083661177", "+442083661177", nil},
			{"IDENT-16", "+４４２０８３６６１１７７", "+442083661177", "+442083661177", nil},
			{"IDENT-16", "+1800-six-flag", "+18007493524", "+18007493524", nil},
		},
		valid("IDENT-15", "+12025550123", "+442083661177", "+18007493524"),
		faulty("IDENT-15", roster.Invalid, "12025550123", "+1 555 1234", "+00", "+999123456789", "+120255501234567", "+"),
		faulty("IDENT-16", roster.Invalid, "+1 202 555 0123 x123", "+12025550123;ext=5", "tel:+12025550123", "+1202\u200b5550123"),
		faulty("IDENT-1", roster.Invalid, "", " ", "+1202555\xff0123", "+1202555\x000123"),
		faulty("IDENT-1", roster.TooLong, strings.Repeat(" ", 1024)+"+12025550123"),
	),
	"US": {
		{"IDENT-15", "202-555-0123", "+12025550123", "+12025550123", nil},
		{"IDENT-15", "(202) 555-0123", "+12025550123", "+12025550123", nil},
		{"IDENT-15", "011442083661177", "+442083661177", "+442083661177", nil},
		{"IDENT-16", "800sixflag", "+18007493524", "+18007493524", nil},
	},
	"GB": {{"IDENT-15", "00442083661177", "+442083661177", "+442083661177", nil}},
	"ET": {{"IDENT-15", "0911123456", "+251911123456", "+251911123456", nil}},
}

// IDENT-1 to IDENT-16, case 7: every vector through Create, and again through Update.
func TestVectors(t *testing.T) {
	for kind, list := range map[identifiers.Kind][]vector{identifiers.KindUsername: usernameVectors, identifiers.KindEmail: emailVectors} {
		t.Run(string(kind), func(t *testing.T) {
			inEach(t, func(t *testing.T, w *world) { w.try(t, kind, list) }, withoutHolds)
		})
	}
	for region, list := range phoneVectors {
		t.Run("phone of "+region, func(t *testing.T) {
			inEach(t, func(t *testing.T, w *world) { w.try(t, identifiers.KindPhone, list) },
				func(cfg *usersrepo.Config) { cfg.Phone.DefaultRegion = region })
		})
	}
}

func withoutHolds(cfg *usersrepo.Config) { cfg.Username.HoldFor = -1 }

func slotOf(p *Person, kind identifiers.Kind) **string {
	return map[identifiers.Kind]**string{
		identifiers.KindUsername: &p.Username, identifiers.KindEmail: &p.Email, identifiers.KindPhone: &p.Phone,
	}[kind]
}

var canonicalColumn = map[identifiers.Kind]string{
	identifiers.KindUsername: "username_canonical", identifiers.KindEmail: "email_canonical", identifiers.KindPhone: "phone",
}

// with is a person with one identifier.
func with(kind identifiers.Kind, value string) *Person {
	p := &Person{}
	*slotOf(p, kind) = &value
	return p
}

func (w *world) try(t *testing.T, kind identifiers.Kind, list []vector) {
	// The users whom Update gives the values have an identifier of another kind.
	host := person("host", "", "")
	if kind == identifiers.KindUsername {
		host = person("", "host@example.com", "")
	}
	host = w.add(t, host)
	for _, v := range list {
		var faults []string
		for _, code := range v.faults {
			faults = append(faults, string(kind)+":"+string(code))
		}
		stored := func(how string, u *Person, err error) {
			t.Helper()
			if len(faults) > 0 {
				refused(t, err, roster.ErrValidationFailed, faults...)
				return
			}
			if err != nil {
				t.Errorf("%s: %s %+q: %v", v.rule, how, v.input, err)
				return
			}
			for _, u := range []*Person{u, w.read(t, u.ID)} {
				if got := *slotOf(u, kind); got == nil || *got != v.stored {
					t.Errorf("%s: %s %+q: stored %v, want %+q", v.rule, how, v.input, got, v.stored)
				}
			}
			if w.rows(t, "users WHERE id = $1 AND "+canonicalColumn[kind]+" = $2", u.ID, v.canonical) != 1 {
				t.Errorf("%s: %s %+q: the canonical form is not %+q", v.rule, how, v.input, v.canonical)
			}
		}
		u, err := w.Create(t.Context(), with(kind, v.input))
		stored("create", u, err)
		if err == nil {
			if err := w.Delete(t.Context(), u.ID, roster.Remove); err != nil {
				t.Fatal(err)
			}
		}
		u, err = w.Update(t.Context(), host.ID, func(p *Person) error { *slotOf(p, kind) = &v.input; return nil })
		stored("update", u, err)
		if _, err = w.Update(t.Context(), host.ID, func(p *Person) error { *slotOf(p, kind) = nil; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	same(t, 1, w.rows(t, "users"))
}

// IDENT-2, IDENT-10, cases 4 and 5: the second of two spellings of one identifier is taken, in Create and in Update;
// the first stays as it was typed.
func TestSpellings(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		host := w.add(t, with(identifiers.KindEmail, "host@example.net"))
		for _, tt := range []struct {
			kind          identifiers.Kind
			first, second string
		}{
			{identifiers.KindUsername, "Alice", "aLICE"},
			{identifiers.KindUsername, "\u00e9ric", "e\u0301ric"},
			{identifiers.KindUsername, "Straße", "STRASSE"},
			{identifiers.KindUsername, "\u212aelvin", "kelvin"},
			{identifiers.KindUsername, "ΣΊΣΥΦΟΣ", "σίσυφος"},
			{identifiers.KindUsername, "name٠", "Name0"},
			{identifiers.KindEmail, "Bob@example.com", "bob@EXAMPLE.com"},
			{identifiers.KindEmail, "a@bücher.example", "A@xn--bcher-kva.example"},
			{identifiers.KindPhone, "+12025550123", "+1 (202) 555-0123"},
		} {
			first := w.add(t, with(tt.kind, tt.first))
			_, err := w.Create(t.Context(), with(tt.kind, tt.second))
			refused(t, err, roster.ErrIdentifierTaken, string(tt.kind)+":taken")
			_, err = w.Update(t.Context(), host.ID, func(p *Person) error { *slotOf(p, tt.kind) = &tt.second; return nil })
			refused(t, err, roster.ErrIdentifierTaken, string(tt.kind)+":taken")
			same(t, first, w.read(t, first.ID))
		}
		for _, name := range []string{"istanbul", "İstanbul", "ıstanbul"} {
			w.add(t, with(identifiers.KindUsername, name))
		}
	})
}

// IDENT-3, IDENT-12, IDENT-13, IDENT-17: values of another kind, and what settings refuse and allow.
func TestKinds(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		for _, tt := range []struct{ kind, value string }{
			{"username", "a@example.com"},
			{"username", "+12025550123"},
			{"username", "2025550123"},
			{"email", "alice"},
			{"email", "+12025550123"},
			{"phone", "alice"},
			{"phone", "a@example.com"},
			{"phone", "+41446681800"}, // IDENT-17: not of the countries below
		} {
			_, err := w.Create(t.Context(), with(identifiers.Kind(tt.kind), tt.value))
			refused(t, err, roster.ErrValidationFailed, tt.kind+":invalid")
		}
		for kind, value := range map[identifiers.Kind]string{
			identifiers.KindUsername: "женя", identifiers.KindEmail: "jürgen@intranet", identifiers.KindPhone: "+442083661177",
		} {
			u := w.add(t, with(kind, value))
			same(t, value, **slotOf(u, kind))
		}
		_, err := w.Create(t.Context(), with(identifiers.KindUsername, "latin"))
		refused(t, err, roster.ErrValidationFailed, "username:invalid")
		_, err = w.Create(t.Context(), with(identifiers.KindEmail, "a@throwaway.example"))
		refused(t, err, roster.ErrValidationFailed, "email:invalid") // IDENT-14
	}, func(cfg *usersrepo.Config) {
		cfg.Username.Scripts = []string{"Cyrillic"}
		cfg.Email = identifiers.EmailConfig{AllowUTF8Local: true, AllowLocalDomains: true, Check: refuseThrowaway}
		cfg.Phone.Countries = []string{"GB", "US"}
	})
}

func refuseThrowaway(_ context.Context, address string) error {
	if strings.HasSuffix(address, "@throwaway.example") {
		return errors.New("throw-away address")
	}
	return nil
}

// IDENT-9: the option lifts the reserved names, and nothing else.
func TestAllowReserved(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("Admin", "", ""), roster.AllowReserved())
		same(t, "Admin", *u.Username)
		_, err := w.Create(t.Context(), person("me", "", ""), roster.AllowReserved())
		refused(t, err, roster.ErrValidationFailed, "username:too_short")
		u, err = w.Update(t.Context(), u.ID, func(p *Person) error { p.Company = "Acme"; return nil })
		if err != nil {
			t.Fatalf("a user with a reserved name changes something else: %v", err)
		}
		same(t, "Acme", u.Company)
	})
}

// IDENT-1, IDENT-3, case 8: a text that is valid as one kind is not as another, and what is stored is stored the same
// when it is given again.
func TestVectorsOfChance(t *testing.T) {
	t.Parallel()
	w := found(t, rostertest.Open(t, rostertest.SQLite), withoutHolds)
	kinds := []identifiers.Kind{identifiers.KindUsername, identifiers.KindEmail, identifiers.KindPhone}
	text := rapid.OneOf(
		rapid.String(),
		rapid.StringMatching(`\s?[a-zA-ZéßſＡ山ß٠０-９._-]{3,12}\s?`),
		rapid.StringMatching(`[a-zA-Z.+]{1,5}@[a-zA-Zü]{1,5}\.(com|DE|рф)`),
		rapid.StringMatching(`\+(1 ?\(?202\)?|44 ?20|251 ?91)[ -]?[0-9０-９]{3}[ -]?[0-9]{4}`),
	)
	stored := 0
	rapid.Check(t, func(t *rapid.T) {
		input := text.Draw(t, "input")
		var users []*Person
		for _, kind := range kinds {
			u, err := w.Create(context.Background(), with(kind, input))
			if err != nil {
				if !errors.Is(err, roster.ErrValidationFailed) {
					t.Fatalf("%s %+q: %v", kind, input, err)
				}
				continue
			}
			users = append(users, u)
			value := **slotOf(u, kind)
			if _, err := w.Create(context.Background(), with(kind, value)); !errors.Is(err, roster.ErrIdentifierTaken) {
				t.Fatalf("%s %+q, stored %+q: again %v", kind, input, value, err)
			}
			again, err := w.Update(context.Background(), u.ID, func(p *Person) error { *slotOf(p, kind) = &input; return nil })
			if err != nil || **slotOf(again, kind) != value || again.Version != 1 {
				t.Fatalf("%s %+q: update: %+v, %v", kind, input, again, err)
			}
			if err := w.Delete(context.Background(), u.ID, roster.Remove); err != nil {
				t.Fatal(err)
			}
		}
		if len(users) > 1 {
			t.Fatalf("%+q is valid as %d kinds", input, len(users))
		}
		stored += len(users)
	})
	if stored == 0 {
		t.Error("no valid text was tried")
	}
}
