package passwords_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/passwords"
)

const horse = "correct horse battery"

// PASS-30, PASS-5, SEC-59, SEC-67: the default is argon2id with OWASP's parameters and a fresh salt.
func TestHash(t *testing.T) {
	t.Parallel()
	p := mustNew(t, passwords.Config{})
	phc := regexp.MustCompile(`^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`)

	first, err := p.Hash(t.Context(), horse)
	if err != nil {
		t.Fatal(err)
	}
	second, err := p.Hash(t.Context(), horse)
	if err != nil {
		t.Fatal(err)
	}
	if !phc.MatchString(first) || !phc.MatchString(second) || first == second {
		t.Errorf("got %s and %s, want two different PHC strings with the default parameters", first, second)
	}
	// A password that looks like a hash is one like any other.
	of, err := p.Hash(t.Context(), roster.Secret(first))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := verify(t, p, of, first), (passwords.Match{OK: true}); got != want {
		t.Errorf("a hash as a password: got %+v, want %+v", got, want)
	}
	if got := verify(t, p, first, first); got.OK {
		t.Error("the stored string itself was accepted as the password")
	}
}

// PASS-30, SEC-60: each ready-made kind makes hashes of the whole password that are up to date and fit for import
// elsewhere. The parameters are below the floors, for speed.
func TestKinds(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]passwords.Hasher{
		"argon2id": passwords.Argon2id{Memory: 64, Time: 1, Lanes: 2},
		"bcrypt":   passwords.Bcrypt{Cost: 4},
		"scrypt":   passwords.Scrypt{N: 16},
		"pbkdf2":   passwords.PBKDF2{Iterations: 100},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			long := strings.Repeat("x", 1023)
			encoded, err := passwords.HashFrom(h, rand.Reader, roster.Secret(long+"y"))
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range []struct {
				typed string
				want  passwords.Match
			}{{long + "y", passwords.Match{OK: true}}, {long + "z", passwords.Match{}}, {"", passwords.Match{}}} {
				got, err := h.Verify(t.Context(), encoded, roster.Secret(c.typed))
				if err != nil || got != c.want {
					t.Errorf("%.5s…: got %+v, %v, want %+v", c.typed, got, err, c.want)
				}
			}
			if usable, err := passwords.CheckImport(encoded); !usable || err != nil {
				t.Errorf("it can be imported: got %v, %v", usable, err)
			}
		})
	}
}

// PASS-34, SEC-64: other parameters, kinds and spellings are stale, the live ones are not.
func TestStale(t *testing.T) {
	t.Parallel()
	const salt, key = "cm9zdGVyLXRlc3Qtc2FsdA", "zxsGjGa8CXKc3mFvhjS8Q3dDDbeGZjI2Grs6kasoaCE"
	p := mustNew(t, passwords.Config{})
	for encoded, want := range map[string]bool{
		"$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + key:                               false,
		"$argon2id$v=19$m=19457,t=2,p=1$" + salt + "$" + key:                               true,
		"$argon2id$v=19$m=19456,t=3,p=1$" + salt + "$" + key:                               true,
		"$argon2id$v=19$m=19456,t=2,p=2$" + salt + "$" + key:                               true,
		"$argon2i$v=19$m=19456,t=2,p=1$" + salt + "$" + key:                                true,
		"$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$" + key:                                     true, // a short salt
		"$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$AAAAAAAAAAAAAAAAAAAAAA":               true, // a short hash
		"argon2$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + key:                         true,
		"$2a$10$Nqs04sU7/sLB.7s6UpW3HuaTK8ZbRBFSW1EWDgTZS37AkUS/gHP1S":                     true,
		"pbkdf2_sha256$600000$rosterTestSalt$IRf1XAHUW62JexAkcgM9I20RAjr49FB6Acx3Giai+oE=": true,
	} {
		if got := p.Stale(encoded); got != want {
			t.Errorf("%s: got stale %v, want %v", encoded, got, want)
		}
	}
}

// PASS-21, SEC-63: hashes of today verify for ever. The last two are of texts that NFKC changes.
func TestGolden(t *testing.T) {
	t.Parallel()
	p := mustNew(t, passwords.Config{})
	for _, c := range [][2]string{
		{"$argon2id$v=19$m=19456,t=2,p=1$YgcehYGNNBdwsgmHkcATQQ$SQruZ5QgldIk+5Ekj/ZEtbsjBOx6Xh8dPRy69yjM2ys", horse},
		{"$argon2id$v=19$m=19456,t=2,p=1$FoMHG+lCvJOzeTpXvhLNEA$CSPV9nKmEKs0ICTfPh7f1D29Xy76UVpw8HAR17jinIo", "zwo\u0308lf boxka\u0308mpfer"},
		{"$argon2id$v=19$m=19456,t=2,p=1$OKHeSJpzSoN8dlHNwu243A$YzxhKpRzz261WZ4lE/DSIlJNKP0GfeWKz3bwK5/OmgA", "ｍ² ½ ﬁ µ\u00a0Å"},
	} {
		if got, want := verify(t, p, c[0], c[1]), (passwords.Match{OK: true}); got != want {
			t.Errorf("%q: got %+v, want %+v", c[1], got, want)
		}
	}
}

// PASS-21, SEC-60: spellings of one NFKC form are one password; spaces, case and the last code point count.
func TestNormalisation(t *testing.T) {
	t.Parallel()
	p := mustNew(t, passwords.Config{Hasher: &fake{}})
	of := func(password string) string {
		encoded, err := p.Hash(t.Context(), roster.Secret(password))
		if err != nil {
			t.Fatal(err)
		}
		return encoded
	}
	t.Run("it takes two spellings for one password", func(t *testing.T) {
		for _, pair := range [][2]string{
			{"ｃorrect horse battery", horse},
			{"zwo\u0308lf boxka\u0308mpfer", "zwölf boxkämpfer"},
			{"m² und µ", "m2 und μ"},
		} {
			for _, typed := range pair {
				if got, want := verify(t, p, of(pair[0]), typed), (passwords.Match{OK: true}); got != want {
					t.Errorf("%q hashed, %q typed: got %+v, want %+v", pair[0], typed, got, want)
				}
				if got, want := verify(t, p, of(pair[1]), typed), (passwords.Match{OK: true}); got != want {
					t.Errorf("%q hashed, %q typed: got %+v, want %+v", pair[1], typed, got, want)
				}
			}
		}
	})
	t.Run("it trims, folds and cuts nothing", func(t *testing.T) {
		for _, typed := range []string{" " + horse, horse + " ", strings.ToUpper(horse), horse[:len(horse)-1], horse + "y"} {
			if verify(t, p, of(horse), typed).OK {
				t.Errorf("%q is taken for %q", typed, horse)
			}
		}
		for _, n := range []int{1, 71, 72, 73, 255, 256, 1023} {
			x := strings.Repeat("x", n-1)
			if verify(t, p, of(x+"y"), x+"z").OK {
				t.Errorf("code point %d does not count", n)
			}
		}
	})
	t.Run("it holds for any text", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			a := rapid.StringN(1, 60, -1).Draw(t, "a")
			b := rapid.OneOf(rapid.Just(norm.NFD.String(a)), rapid.Just(norm.NFKD.String(a)), rapid.StringN(1, 60, -1)).Draw(t, "b")
			if len(p.CheckLimits("", roster.Secret(a))) > 0 || len(p.CheckLimits("", roster.Secret(b))) > 0 {
				t.Skip("beyond the limits")
			}
			encoded, err := p.Hash(t.Context(), roster.Secret(a))
			if err != nil {
				t.Fatal(err)
			}
			match, err := p.Verify(t.Context(), encoded, roster.Secret(b))
			if err != nil {
				t.Fatal(err)
			}
			if want := norm.NFKC.String(a) == norm.NFKC.String(b); match.OK != want {
				t.Errorf("got %v, want %v", match.OK, want)
			}
		})
	})
}

// PASS-39: a foreign hash is checked against the password as typed, then its normal form; bcrypt looks at 72 bytes.
func TestForeign(t *testing.T) {
	t.Parallel()
	p := mustNew(t, passwords.Config{})
	const typed, normal = "m² und µ", "m2 und μ"
	stale := passwords.Match{OK: true, Stale: true}
	for _, of := range []string{typed, normal} {
		if got := verify(t, p, cheap(t, of), typed); got != stale {
			t.Errorf("of %q: got %+v, want %+v", of, got, stale)
		}
	}
	if verify(t, p, cheap(t, typed), normal).OK {
		t.Error("a foreign hash of another spelling was accepted")
	}

	long := strings.Repeat("ä", 36)
	crypted, err := bcrypt.GenerateFromPassword([]byte(long), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	if got := verify(t, p, string(crypted), long+" and more"); got != stale {
		t.Errorf("72 bytes of bcrypt: got %+v, want %+v", got, stale)
	}
	if verify(t, p, string(crypted), long[1:]+"x").OK {
		t.Error("bcrypt accepted another password")
	}
}

// PASS-39: a hash of the spelling as typed is replaced, even when its parameters are those of new ones; the normal
// form is tried first there.
func TestOwnKindOfAnotherSpelling(t *testing.T) {
	t.Parallel()
	f := &fake{}
	p := mustNew(t, passwords.Config{Hasher: f})
	if got, want := verify(t, p, "fake:m²", "m²"), (passwords.Match{OK: true, Stale: true}); got != want {
		t.Errorf("as typed: got %+v, want %+v", got, want)
	}
	if got, want := verify(t, p, "fake:m2", "m²"), (passwords.Match{OK: true}); got != want {
		t.Errorf("normal: got %+v, want %+v", got, want)
	}
	if diff := cmp.Diff([]string{"m2", "m²", "m2"}, f.passwords()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// PASS-33, PASS-36, ACCT-21: what cannot match costs one run of the Hasher and is no error.
func TestNothingToMatch(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		encoded, password string
		want              passwords.Match
	}{
		"an unknown user":               {"", horse, passwords.Match{}},
		"an unusable mark":              {"!abc", horse, passwords.Match{}},
		"an unreadable string":          {"$argon2id$broken", horse, passwords.Match{Unreadable: true}},
		"an unreadable string, no text": {"md5$x", "", passwords.Match{}},
		"a costly string":               {"$argon2id$v=19$m=4194304,t=2,p=1$cm9zdGVy$AAAAAAAAAAAAAAAAAAAAAA", horse, passwords.Match{Unreadable: true}},
		"no password":                   {"fake:", "", passwords.Match{}},
		"U+0000":                        {"fake:a\x00", "a\x00", passwords.Match{}},
		"no UTF-8":                      {"fake:\xff", "\xff", passwords.Match{}},
		"1,025 code points":             {"fake:" + strings.Repeat("x", 1025), strings.Repeat("x", 1025), passwords.Match{}},
		"a wrong password":              {"fake:other", horse, passwords.Match{}},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{}
			p := mustNew(t, passwords.Config{Hasher: f})
			if got := verify(t, p, c.encoded, c.password); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if got := f.runs(); got != 1 {
				t.Errorf("got %d runs, want 1", got)
			}
			if err := p.VerifyDummy(t.Context(), roster.Secret(c.password)); err != nil {
				t.Error(err)
			}
			if got := f.runs(); got != 2 {
				t.Errorf("the dummy: got %d runs, want 1", got-1)
			}
		})
	}
}

// PASS-36: the dummy of every kind is a hash with the live parameters.
func TestDummy(t *testing.T) {
	t.Parallel()
	for _, h := range []passwords.Hasher{passwords.Argon2id{}, passwords.Bcrypt{}, passwords.Scrypt{}, passwords.PBKDF2{}} {
		encoded, err := passwords.DummyFrom(h, strings.NewReader(strings.Repeat("r", 100)))
		if err != nil {
			t.Fatal(err)
		}
		if usable, err := passwords.CheckImport(encoded); !usable || err != nil {
			t.Errorf("%T: %s: got %v, %v", h, encoded, usable, err)
		}
		if mustNew(t, passwords.Config{Hasher: h}).Stale(encoded) {
			t.Errorf("%T: %s has not the live parameters", h, encoded)
		}
	}
}

// PASS-20: Hash keeps the hard limits whoever calls.
func TestHashKeepsTheLimits(t *testing.T) {
	t.Parallel()
	p := mustNew(t, passwords.Config{Hasher: &fake{}})
	_, err := p.Hash(t.Context(), "")
	want := roster.FieldErrors{{Field: "password", Code: roster.Invalid}}
	if diff := cmp.Diff(want, fieldErrors(err)); diff != "" || !errors.Is(err, roster.ErrValidationFailed) {
		t.Errorf("got %v (-want +got)\n%s", err, diff)
	}
}

// PASS-37: no error tells the password.
func TestErrorsTellNoPassword(t *testing.T) {
	t.Parallel()
	const typed = "tr0ub4dor&3"
	p := mustNew(t, passwords.Config{Hasher: &fake{}})
	_, err := p.Hash(t.Context(), typed+"\x00")
	faults := p.CheckMinimum("password", roster.Secret(typed[:5]))
	if s := fmt.Sprintf("%v %+v %#v %v", err, err, err, faults); strings.Contains(s, typed[:5]) {
		t.Errorf("got %s", s)
	}
}
