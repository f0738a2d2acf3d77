package identifiers_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/nyaruka/phonenumbers"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/identifiers"
)

// The vectors of IDENT-4 to IDENT-9 that are valid.
func TestUsernameValid(t *testing.T) {
	p := newParser(t, identifiers.Config{})
	for _, tt := range []struct {
		name, input, stored, canonical string
	}{
		{"IDENT-6 takes a dot", "valid.username", "valid.username", "valid.username"},
		{"IDENT-6 takes a hyphen", "valid-username", "valid-username", "valid-username"},
		{"IDENT-6 takes an underscore", "valid_username", "valid_username", "valid_username"},
		{"IDENT-4 keeps the case", "validUsername", "validUsername", "validusername"},
		{"IDENT-5 takes three letters", "abc", "abc", "abc"},
		{"IDENT-6 takes all three signs", "a.b-c_d", "a.b-c_d", "a.b-c_d"},
		{"IDENT-6 takes a hyphen at the end", "name-", "name-", "name-"},
		{"IDENT-1 trims spaces", " alice ", "alice", "alice"},
		{"IDENT-1 trims a line feed", "alice\n", "alice", "alice"},
		{"IDENT-4 keeps the precomposed", "\u00e9ric", "\u00e9ric", "\u00e9ric"},
		{"IDENT-4 composes", "e\u0301ric", "\u00e9ric", "\u00e9ric"},
		{"IDENT-4 maps full width", "Ａlice", "Alice", "alice"},
		{"IDENT-4 maps a ligature", "ﬁona", "fiona", "fiona"},
		{"IDENT-4 maps a Roman numeral", "Ⅰvan", "Ivan", "ivan"},
		{"IDENT-4 maps the long s", "ſam", "sam", "sam"},
		{"IDENT-6 takes Ethiopic", "ትክክለኛ-የተጠቃሚ-ስም", "ትክክለኛ-የተጠቃሚ-ስም", "ትክክለኛ-የተጠቃሚ-ስም"},
		{"IDENT-6 takes Greek with accents", "Ἀθηνᾶ", "Ἀθηνᾶ", "ἀθηνᾶ"},
		{"IDENT-7 takes Katakana with the prolonged sound", "ユーザー", "ユーザー", "ユーザー"},
		{"IDENT-7 takes Latin with Han", "山田taro", "山田taro", "山田taro"},
		{"IDENT-7 takes Latin with Han, Hiragana and Katakana", "山のテスト.x", "山のテスト.x", "山のテスト.x"},
		{"IDENT-7 takes Latin with Han and Bopomofo", "中ㄅab", "中ㄅab", "中ㄅab"},
		{"IDENT-7 takes Latin with Han and Hangul", "한中ab", "한中ab", "한中ab"},
		{"IDENT-4 keeps an ASCII digit", "name0", "name0", "name0"},
		{"IDENT-4 maps a full-width digit", "name０", "name0", "name0"},
		{"IDENT-4 folds an Arabic-Indic digit", "name٠", "name٠", "name0"},
		{"IDENT-4 folds a Devanagari digit", "नाम१", "नाम१", "नाम1"},
		{"IDENT-8 takes two digits of one system", "name٠٩", "name٠٩", "name09"},
		{"IDENT-5 takes three letters of one ligature", "ﬃ", "ffi", "ffi"},
		{"IDENT-5 takes 32 letters", strings.Repeat("a", 32), strings.Repeat("a", 32), strings.Repeat("a", 32)},
		{"IDENT-5 counts code points", strings.Repeat("ß", 32), strings.Repeat("ß", 32), strings.Repeat("s", 64)},
		{"IDENT-6 takes four marks in a row", "q\u0301\u0302\u0303\u0304ab", "q\u0301\u0302\u0303\u0304ab", "q\u0301\u0302\u0303\u0304ab"},
		{"IDENT-6 takes Thai marks", "ชื่อ", "ชื่อ", "ชื่อ"},
		{"IDENT-9 takes a name that only begins like a reserved one", "admins", "admins", "admins"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := identifiers.Identifier{Stored: tt.stored, Canonical: tt.canonical}
			got, codes := p.Username(tt.input)
			same(t, tt.input, got, codes, want)
			got, codes = p.Username(tt.stored)
			same(t, tt.stored, got, codes, want)
		})
	}
}

// The vectors of IDENT-3 to IDENT-9 that are not.
// SEC-82, SEC-84: what is no username.
func TestUsernameFaults(t *testing.T) {
	p := newParser(t, identifiers.Config{})
	for _, tt := range []struct {
		name  string
		codes []roster.FieldCode
		input []string
	}{
		{"IDENT-5 refuses two letters", []roster.FieldCode{roster.TooShort}, []string{"ab", " ab "}},
		{"IDENT-5 refuses 33 letters", []roster.FieldCode{roster.TooLong}, []string{strings.Repeat("a", 33), strings.Repeat("ß", 33)}},
		{"IDENT-6 refuses spaces that normalising makes", []roster.FieldCode{roster.Invalid}, []string{"ﷺ", "a¨bc"}},
		{"IDENT-6 refuses numbers that normalising makes", []roster.FieldCode{roster.Invalid}, []string{"①2025551234", "²abc", "⑴abc", "½x1"}},
		{"IDENT-6 wants a letter first", []roster.FieldCode{roster.Invalid}, []string{"0abc", "０abc", "٠abc", "፩name", ".abc", "-abc", "_abc", "+abc", "\u0301abc"}},
		{"IDENT-6 refuses other numbers", []roster.FieldCode{roster.Invalid}, []string{"name፩"}},
		{"IDENT-6 refuses inner space", []roster.FieldCode{roster.Invalid}, []string{"a b c", "a\nb", "a\u00a0bc", "ab\u3000c", "ab\tc"}},
		{"IDENT-3 refuses what belongs to the other kinds", []roster.FieldCode{roster.Invalid}, []string{"a@b", "a＠b", "ab+c", "ab＋c"}},
		{"IDENT-6 refuses format characters", []roster.FieldCode{roster.Invalid}, []string{"ab\u200dc", "ab\u200cc", "ab\u00adc", "ab\u200bc", "ab\u202ec", "ab\u2066c", "\ufeffabc", "ab\u2060c"}},
		{"IDENT-6 refuses marks and letters that nobody sees", []roster.FieldCode{roster.Invalid}, []string{"abc\ufe0f", "abc\u034f", "abc\U000e0100", "한ㅤ글", "한ﾠ글", "한\u1160글", "កខគ\u17b4", "ᠠᠡᠢ\u180b"}},
		{"IDENT-6 refuses symbols", []roster.FieldCode{roster.Invalid}, []string{"ab😀c", "a/b", "<b>abc", "ab'c", "ab\x7fc", "ab\u20ddc", "ab\ufffdc", "ab\ue000c", "ab\u0378c"}},
		{"IDENT-6 refuses a mark on no letter", []roster.FieldCode{roster.Invalid}, []string{"ab1\u0301", "ab.\u0301", "ab-\u0301c"}},
		{"IDENT-6 refuses five marks in a row", []roster.FieldCode{roster.Invalid}, []string{"q\u0301\u0302\u0303\u0304\u0306ab", "abq" + strings.Repeat("\u0301", 9)}},
		{"IDENT-7 refuses mixed scripts", []roster.FieldCode{roster.MixedScripts}, []string{"pаypal", "αdmin", "한カナ", "中ㄅ한", "abжω", "aשלום"}},
		{"IDENT-7 refuses a mark of another script", []roster.FieldCode{roster.MixedScripts}, []string{"abc\u0e34"}},
		{"IDENT-8 refuses mixed numerals", []roster.FieldCode{roster.Invalid}, []string{"a1٢", "a٢१", "a1b٢"}},
		{"IDENT-9 refuses and tells every other fault too", []roster.FieldCode{roster.TooShort, roster.Reserved}, []string{"me", "Me"}},
		{"IDENT-5 tells all faults", []roster.FieldCode{roster.Invalid, roster.MixedScripts, roster.TooLong}, []string{"!" + strings.Repeat("aж", 16)}},
		{"IDENT-5 tells faults of short names", []roster.FieldCode{roster.Invalid, roster.TooShort}, []string{"１", "a!"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, input := range tt.input {
				got, codes := p.Username(input)
				same(t, input, got, codes, identifiers.Identifier{}, tt.codes...)
			}
		})
	}
}

// IDENT-9.
func TestReserved(t *testing.T) {
	t.Run("refuses reserved names however they are spelled, and gives them to whom lifts it", func(t *testing.T) {
		p := newParser(t, identifiers.Config{})
		for input, want := range map[string]identifiers.Identifier{
			"admin":     {Stored: "admin", Canonical: "admin"},
			"Admin":     {Stored: "Admin", Canonical: "admin"},
			"ad.min":    {Stored: "ad.min", Canonical: "ad.min"},
			"a-d-m-i-n": {Stored: "a-d-m-i-n", Canonical: "a-d-m-i-n"},
			"ＡＤＭＩＮ":     {Stored: "ADMIN", Canonical: "admin"},
			"Settings":  {Stored: "Settings", Canonical: "settings"},
		} {
			got, codes := p.Username(input)
			same(t, input, got, codes, want, roster.Reserved)
		}
	})
	t.Run("has a default list", func(t *testing.T) {
		p := newParser(t, identifiers.Config{Username: identifiers.UsernameConfig{MinLength: 1}})
		const list = "admin administrator root superuser system staff moderator owner support help security abuse postmaster " +
			"hostmaster webmaster noreply me self api login logout register password settings edit notifications message " +
			"messages changeinfo null undefined anonymous guest deleted everyone"
		for name := range strings.FieldsSeq(list) {
			got, codes := p.Username(name)
			same(t, name, got, codes, identifiers.Identifier{Stored: name, Canonical: name}, roster.Reserved)
		}
	})
	t.Run("is replaced by a list", func(t *testing.T) {
		p := newParser(t, identifiers.Config{Username: identifiers.UsernameConfig{Reserved: []string{"Straße-1", ".well-known", "", "\xff"}}})
		for input, codes := range map[string][]roster.FieldCode{"STRASSE１": {roster.Reserved}, "wellknown": {roster.Reserved}, "admin": nil} {
			if _, got := p.Username(input); len(got) != len(codes) {
				t.Errorf("%q: %v, want %v", input, got, codes)
			}
		}
	})
	t.Run("is extended by append", func(t *testing.T) {
		p := newParser(t, identifiers.Config{Username: identifiers.UsernameConfig{Reserved: append(identifiers.DefaultReserved(), "acme")}})
		for _, input := range []string{"acme", "admin"} {
			if _, got := p.Username(input); len(got) != 1 {
				t.Errorf("%q: %v", input, got)
			}
		}
	})
	t.Run("is nothing with an empty list", func(t *testing.T) {
		p := newParser(t, identifiers.Config{Username: identifiers.UsernameConfig{Reserved: []string{}}})
		if _, got := p.Username("admin"); got != nil {
			t.Errorf("%v", got)
		}
	})
}

// IDENT-10.
func TestSameName(t *testing.T) {
	p := newParser(t, identifiers.Config{})
	canonical := func(t *testing.T, name string) string {
		t.Helper()
		id, codes := p.Username(name)
		if codes != nil {
			t.Fatalf("%q: %v", name, codes)
		}
		return id.Canonical
	}
	for _, pair := range [][2]string{
		{"\u00e9ric", "e\u0301ric"},
		{"Straße", "STRASSE"},
		{"Straẞe", "strasse"},
		{"\u212aelvin", "kelvin"},
		{"ΣΊΣΥΦΟΣ", "σίσυφος"},
		{"name0", "name٠"},
		{"ᾼδης", "αιδησ"},
		{"ᏣᎳᎩ", "ꮳꮃꭹ"},
		{"ᏸᎠᎡ", "ᏰᎠᎡ"},
		{"ЖЕНЯ", "женя"},
	} {
		t.Run("takes "+pair[0]+" and "+pair[1]+" for one name", func(t *testing.T) {
			if a, b := canonical(t, pair[0]), canonical(t, pair[1]); a != b {
				t.Errorf("%+q and %+q", a, b)
			}
		})
	}
	for _, pair := range [][2]string{{"İstanbul", "istanbul"}, {"ıstanbul", "istanbul"}, {"a.bc", "abc"}, {"пайпал", "paypal"}} {
		t.Run("tells "+pair[0]+" from "+pair[1], func(t *testing.T) {
			if a, b := canonical(t, pair[0]), canonical(t, pair[1]); a == b {
				t.Errorf("%+q", a)
			}
		})
	}
}

// IDENT-5, IDENT-7.
func TestUsernameConfig(t *testing.T) {
	t.Run("sets the lengths", func(t *testing.T) {
		p := newParser(t, identifiers.Config{Username: identifiers.UsernameConfig{MinLength: 1, MaxLength: 320}})
		for input, want := range map[string]int{"a": 0, strings.Repeat("a", 320): 0, strings.Repeat("a", 321): 1, strings.Repeat("山", 106): 0, strings.Repeat("山", 107): 1} {
			if _, codes := p.Username(input); len(codes) != want {
				t.Errorf("%.10q…: %v", input, codes)
			}
		}
	})
	t.Run("narrows the scripts", func(t *testing.T) {
		p := newParser(t, identifiers.Config{Username: identifiers.UsernameConfig{Scripts: []string{"Latin", "Han"}}})
		for input, want := range map[string]string{"alice.1": "", "山田太郎": "", "山田taro": "", "женя": "invalid", "ユーザ": "invalid", "山の人": "invalid", "pаypal": "invalid mixed_scripts"} {
			_, codes := p.Username(input)
			var got []string
			for _, code := range codes {
				got = append(got, string(code))
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%q: %v, want %s", input, got, want)
			}
		}
	})
}

// IDENT-3, IDENT-6: no way to write a phone number is a username.
func TestPhoneIsNoUsername(t *testing.T) {
	p := newParser(t, identifiers.Config{Username: identifiers.UsernameConfig{MaxLength: identifiers.MaxLogin}})
	refuse := func(t *testing.T, inputs ...string) {
		t.Helper()
		for _, input := range inputs {
			got, codes := p.Username(input)
			same(t, input, got, codes, identifiers.Identifier{}, roster.Invalid)
		}
	}
	t.Run("refuses vanity numbers", func(t *testing.T) {
		refuse(t, "800sixflag", "(800)six-flag", "+1800-six-flag", "001800-six-flag")
	})
	for _, region := range []string{"US", "ET", "GB"} {
		t.Run("refuses all that is printed of a number in "+region, func(t *testing.T) {
			number := phonenumbers.GetExampleNumber(region)
			for _, extension := range []string{"", "123"} {
				if extension != "" {
					number.Extension = &extension
				}
				for format := phonenumbers.E164; format <= phonenumbers.RFC3966; format++ {
					refuse(t, phonenumbers.Format(number, format))
				}
				for from := range phonenumbers.GetSupportedRegions() {
					refuse(t, phonenumbers.FormatOutOfCountryCallingNumber(number, from))
				}
			}
		})
	}
}

// IDENT-4: digits are replaced block by block, which holds as long as Unicode encodes each ten in a row.
func TestDecimalDigits(t *testing.T) {
	p := newParser(t, identifiers.Config{})
	for zero := rune('0'); zero <= unicode.MaxRune; zero++ {
		if !unicode.IsDigit(zero) {
			continue
		}
		for value := range rune(10) {
			name := "name" + string(zero+value)
			id, codes := p.Username(name)
			if want := "name" + string('0'+value); codes != nil || id.Canonical != want {
				t.Errorf("%+q: %+q %v, want %q", name, id.Canonical, codes, want)
			}
		}
		zero += 9
	}
}
