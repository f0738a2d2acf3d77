package passwords_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/bcrypt"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/passwords"
)

// The examples of password.md §5, of the password "correct horse battery".
var imports = map[string]string{
	"argon2id":             "$argon2id$v=19$m=19456,t=2,p=1$cm9zdGVyLXRlc3Qtc2FsdA$zxsGjGa8CXKc3mFvhjS8Q3dDDbeGZjI2Grs6kasoaCE",
	"django argon2":        "argon2$argon2id$v=19$m=102400,t=2,p=8$cm9zdGVyLXRlc3Qtc2FsdA$VGZNatW3knullQk2T6Sk+TYPA/04o1uTh7zTvIVtf04",
	"django pbkdf2_sha256": "pbkdf2_sha256$260000$rosterTestSalt$IRf1XAHUW62JexAkcgM9I20RAjr49FB6Acx3Giai+oE=",
	"django pbkdf2_sha1":   "pbkdf2_sha1$260000$rosterTestSalt$gS7kzs+Z+koJIMq/kg6T+tLKUpQ=",
	"django scrypt":        "scrypt$16384$rosterTestSalt$8$1$FI/fO5xmvM6vwaqAnkhC9badAlFyMXkXej2tP4vkzPaa4YBLrwN/M8122A5pLo9Krr/XU836568rRzZANFB6sA==",
	"bcrypt":               "$2a$10$Nqs04sU7/sLB.7s6UpW3HuaTK8ZbRBFSW1EWDgTZS37AkUS/gHP1S",
	"django bcrypt_sha256": "bcrypt_sha256$$2a$10$7O.YOxnRh1x9/9gJYXSbSe1gMk6W3ZQHNf03OOrdebiQeIj37/IAG",
}

// PASS-38, SEC-64, case 15: each example is usable and verifies; only the one with live parameters is not stale.
func TestImport(t *testing.T) {
	t.Parallel()
	p := mustNew(t, passwords.Config{})
	for name, encoded := range imports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if usable, err := passwords.CheckImport(encoded); !usable || err != nil {
				t.Fatalf("it is usable: got %v, %v", usable, err)
			}
			want := passwords.Match{OK: true, Stale: name != "argon2id"}
			if got := verify(t, p, encoded, horse); got != want {
				t.Errorf("it accepts the password: got %+v, want %+v", got, want)
			}
		})
	}
}

// PASS-38: each kind refuses what its hash is not of. These have parameters that cost nothing.
func TestImportOfOtherPasswords(t *testing.T) {
	t.Parallel()
	p := mustNew(t, passwords.Config{Hasher: &fake{}})
	for _, encoded := range []string{
		"$argon2id$v=19$m=8,t=1,p=1$" + b22 + "$" + b43, "$argon2i$v=19$m=8,t=1,p=1$" + b22 + "$" + b43,
		"argon2$argon2id$v=19$m=8,t=1,p=1$" + b22 + "$" + b43, "scrypt$2$salt$8$1$" + b88, "pbkdf2_sha256$1$salt$" + b44,
		"pbkdf2_sha1$1$salt$gS7kzs+Z+koJIMq/kg6T+tLKUpQ=", "$2b$04$" + c53, "bcrypt$$2b$04$" + c53, "bcrypt_sha256$$2b$04$" + c53,
	} {
		if got := verify(t, p, encoded, horse); got != (passwords.Match{}) {
			t.Errorf("%s: got %+v", encoded, got)
		}
	}
}

// PASS-38: the spellings of bcrypt, all of one hash.
func TestImportOfBcrypt(t *testing.T) {
	t.Parallel()
	p := mustNew(t, passwords.Config{})
	crypted, err := bcrypt.GenerateFromPassword([]byte(horse), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	rest := string(crypted[3:])
	for _, prefix := range []string{"$2a", "$2b", "$2y", "bcrypt$$2a", "bcrypt$$2b", "bcrypt$$2y"} {
		if got, want := verify(t, p, prefix+rest, horse), (passwords.Match{OK: true, Stale: true}); got != want {
			t.Errorf("%s: got %+v, want %+v", prefix, got, want)
		}
		if verify(t, p, prefix+rest, horse+"y").OK {
			t.Errorf("%s: it accepts another", prefix)
		}
	}
}

// PASS-38, SEC-64: what a program's own Hasher does not know is checked beside it, and stale.
func TestImportBesideAnotherHasher(t *testing.T) {
	t.Parallel()
	p := mustNew(t, passwords.Config{Hasher: &fake{}})
	if got, want := verify(t, p, imports["argon2id"], horse), (passwords.Match{OK: true, Stale: true}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := verify(t, p, imports["argon2id"], "x"); got != (passwords.Match{}) {
		t.Errorf("another password: got %+v", got)
	}
}

// PASS-38: argon2i, with vectors of the reference implementation.
func TestImportOfArgon2i(t *testing.T) {
	t.Parallel()
	p := mustNew(t, passwords.Config{})
	want := passwords.Match{OK: true, Stale: true}
	for encoded, password := range map[string]string{
		"$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8":   "password",
		"$argon2i$v=19$m=256,t=2,p=2$c29tZXNhbHQ$T/XOJ2mh1/TIpJHfCdQan76Q5esCFVoT5MAeIM1Oq2E":   "password",
		"$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA": "password",
	} {
		if got := verify(t, p, encoded, password); got != want {
			t.Errorf("%s: got %+v, want %+v", encoded, got, want)
		}
		if verify(t, p, encoded, "differentpassword").OK {
			t.Errorf("%s: it accepts another", encoded)
		}
	}
}

// PASS-38: no password.
func TestImportOfNoPassword(t *testing.T) {
	t.Parallel()
	for _, encoded := range []string{"", "!", "!qWzJ7cS0bG", "!" + strings.Repeat("x", 1<<20)} {
		if usable, err := passwords.CheckImport(encoded); usable || err != nil {
			t.Errorf("%.20q: got %v, %v", encoded, usable, err)
		}
	}
}

const (
	b22 = "cm9zdGVyLXRlc3Qtc2FsdA" // 16 bytes
	b43 = "zxsGjGa8CXKc3mFvhjS8Q3dDDbeGZjI2Grs6kasoaCE"
	b44 = "IRf1XAHUW62JexAkcgM9I20RAjr49FB6Acx3Giai+oE="
	b88 = "FI/fO5xmvM6vwaqAnkhC9badAlFyMXkXej2tP4vkzPaa4YBLrwN/M8122A5pLo9Krr/XU836568rRzZANFB6sA=="
	c53 = "Nqs04sU7/sLB.7s6UpW3HuaTK8ZbRBFSW1EWDgTZS37AkUS/gHP1S"
)

var refused = []string{
	// unknown kinds
	"plain", "correct horse battery", "md5$salt$5f4dcc3b5aa765d61d8327deb882cf99", "5f4dcc3b5aa765d61d8327deb882cf99",
	"sha1$$5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8", "sha1$salt$5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8",
	"{SSHA}abc", "$1$salt$hash", "$5$salt$hash", "$6$salt$hash", "$y$j9T$salt$hash", "$argon2d$v=19$m=19456,t=2,p=1$" + b22 + "$" + b43,
	"$scrypt$ln=14,r=8,p=1$" + b22 + "$" + b43, "$", "$$", "$$$$$", "argon2", "argon2$", "bcrypt$", "scrypt$", "pbkdf2_sha256$", "bcrypt_sha256$$",
	"$ARGON2ID$v=19$m=19456,t=2,p=1$" + b22 + "$" + b43, "argon2$argon2$argon2id$v=19$m=19456,t=2,p=1$" + b22 + "$" + b43,
	"\x00", "ä", " ", "\n",
	// argon2: parameters beyond the caps, none, twice, out of order
	"$argon2id$v=19$m=4194304,t=2,p=1$" + b22 + "$" + b43, "$argon2id$v=19$m=1048577,t=2,p=1$" + b22 + "$" + b43,
	"$argon2id$v=19$m=19456,t=21,p=1$" + b22 + "$" + b43, "$argon2id$v=19$m=19456,t=4294967295,p=1$" + b22 + "$" + b43,
	"$argon2id$v=19$m=19456,t=2,p=17$" + b22 + "$" + b43, "$argon2id$v=19$m=19456,t=2,p=257$" + b22 + "$" + b43,
	"$argon2id$v=19$m=0,t=2,p=1$" + b22 + "$" + b43, "$argon2id$v=19$m=19456,t=0,p=1$" + b22 + "$" + b43, "$argon2id$v=19$m=19456,t=2,p=0$" + b22 + "$" + b43,
	"$argon2id$v=19$m=7,t=2,p=1$" + b22 + "$" + b43, "$argon2id$v=19$m=127,t=2,p=16$" + b22 + "$" + b43,
	"$argon2id$v=19$m=-19456,t=2,p=1$" + b22 + "$" + b43, "$argon2id$v=19$m=+19456,t=2,p=1$" + b22 + "$" + b43, "$argon2id$v=19$m=019456,t=2,p=1$" + b22 + "$" + b43,
	"$argon2id$v=19$m=1e4,t=2,p=1$" + b22 + "$" + b43, "$argon2id$v=19$m=0x10,t=2,p=1$" + b22 + "$" + b43, "$argon2id$v=19$m=19_456,t=2,p=1$" + b22 + "$" + b43,
	"$argon2id$v=19$m=99999999999999999999999,t=2,p=1$" + b22 + "$" + b43, "$argon2id$v=19$m=18446744073709571072,t=2,p=1$" + b22 + "$" + b43,
	"$argon2id$v=19$t=2,m=19456,p=1$" + b22 + "$" + b43, "$argon2id$v=19$m=19456,t=2$" + b22 + "$" + b43, "$argon2id$v=19$m=19456,t=2,p=1,p=1$" + b22 + "$" + b43,
	"$argon2id$v=19$m=19456,m=19456,t=2,p=1$" + b22 + "$" + b43, "$argon2id$v=19$m=,t=,p=$" + b22 + "$" + b43, "$argon2id$v=19$$" + b22 + "$" + b43,
	"$argon2id$v=16$m=19456,t=2,p=1$" + b22 + "$" + b43, "$argon2id$m=19456,t=2,p=1$" + b22 + "$" + b43, "$argon2id$v=19$m=19456,t=2,p=1,keyid=Zm9v$" + b22 + "$" + b43,
	// argon2: salt and hash
	"$argon2id$broken", "$argon2id$v=19$m=19456,t=2,p=1", "$argon2id$v=19$m=19456,t=2,p=1$" + b22, "$argon2id$v=19$m=19456,t=2,p=1$" + b22 + "$",
	"$argon2id$v=19$m=19456,t=2,p=1$$" + b43, "$argon2id$v=19$m=19456,t=2,p=1$" + b22 + "$" + b43 + "$", "$argon2id$v=19$m=19456,t=2,p=1$" + b22 + "$" + b43 + "=",
	"$argon2id$v=19$m=19456,t=2,p=1$" + b22 + "$AAAA", "$argon2id$v=19$m=19456,t=2,p=1$" + b22 + "$" + strings.Repeat("A", 88),
	"$argon2id$v=19$m=19456,t=2,p=1$" + b22 + "$" + b43[:42] + "F", "$argon2id$v=19$m=19456,t=2,p=1$!!$" + b43, "$argon2id$v=19$m=19456,t=2,p=1$" + b22[:10] + "\n" + b22[10:] + "$" + b43,
	"$argon2id$v=19$m=19456,t=2,p=1$" + strings.Repeat("A", 1<<20) + "$" + b43,
	// bcrypt
	"$2b$31$" + c53, "$2b$17$" + c53, "$2b$03$" + c53, "$2b$00$" + c53, "$2b$-4$" + c53, "$2b$+4$" + c53, "$2b$4$" + c53, "$2b$010$" + c53, "$2b$1x$" + c53,
	"$2$10$" + c53, "$2x$10$" + c53, "$2c$10$" + c53, "$2a$10$" + c53[:52], "$2a$10$" + c53 + "A", "$2a$10$", "$2a$10", "$2a", "$2a$10$$" + c53[1:],
	"$2a$10$" + c53[:52] + "=", "$2a$10$=" + c53[1:], "$2a$10$" + strings.Repeat("A", 52) + "\r", "bcrypt$$2b$31$" + c53, "bcrypt_sha256$$2b$31$" + c53, "bcrypt_sha256$$$2b$10$" + c53, "bcrypt$2b$10$" + c53, "bcrypt_sha256$2b$10$" + c53, "bcrypt$bcrypt$$2b$10$" + c53,
	"$2a$10$" + c53 + "$2a$10$" + c53,
	// PBKDF2
	"pbkdf2_sha256$1000000000000$salt$" + b44, "pbkdf2_sha256$10000001$salt$" + b44, "pbkdf2_sha256$0$salt$" + b44, "pbkdf2_sha256$-1$salt$" + b44,
	"pbkdf2_sha256$0260000$salt$" + b44, "pbkdf2_sha256$$salt$" + b44, "pbkdf2_sha256$260000$$" + b44, "pbkdf2_sha256$260000$salt$", "pbkdf2_sha256$260000$salt",
	"pbkdf2_sha256$260000$salt$" + b43, "pbkdf2_sha256$260000$salt$" + b88, "pbkdf2_sha256$260000$salt$" + strings.Repeat("A", 400), "pbkdf2_sha256$260000$salt$" + b44 + "$",
	"pbkdf2_sha1$260000$salt$" + b44, "pbkdf2_sha512$260000$salt$" + b88,
	// scrypt
	"scrypt$1099511627776$salt$8$1$" + b88, "scrypt$2097152$salt$8$1$" + b88, "scrypt$16383$salt$8$1$" + b88, "scrypt$1$salt$8$1$" + b88, "scrypt$0$salt$8$1$" + b88,
	"scrypt$-16384$salt$8$1$" + b88, "scrypt$16384$salt$65$1$" + b88, "scrypt$2$salt$4194304$1$" + b88, "scrypt$16384$salt$0$1$" + b88, "scrypt$16384$salt$8$17$" + b88,
	"scrypt$16384$salt$8$1073741824$" + b88, "scrypt$16384$salt$8$0$" + b88, "scrypt$016384$salt$8$1$" + b88, "scrypt$16384$$8$1$" + b88, "scrypt$16384$salt$8$1$",
	"scrypt$16384$salt$8$1$" + b44, "scrypt$16384$salt$8$1", "scrypt$16384$salt$8$1$" + b88[:87], "scrypt$9223372036854775807$salt$8$1$" + b88,
	strings.Repeat("$", 1<<20), strings.Repeat("A", 64<<20),
}

// PASS-38, PASS-33, SEC-64, case 17: what is malformed or asks for too much is refused at once, with little memory.
func TestImportRefuses(t *testing.T) { // not parallel: it counts allocations
	p := mustNew(t, passwords.Config{Hasher: &fake{}})
	took := elapsed(func() {
		for _, encoded := range refused {
			var usable bool
			var err error
			if bytes := allocated(func() { usable, err = passwords.CheckImport(encoded) }); bytes > 64<<10 {
				t.Errorf("%.80q: %d bytes allocated", encoded, bytes)
			}
			if usable || !errors.Is(err, roster.ErrValidationFailed) {
				t.Errorf("%.80q: got %v, %v", encoded, usable, err)
				continue
			}
			got := fieldErrors(err)
			want := roster.FieldErrors{{Field: "password", Code: roster.InvalidHash, Message: got[0].Message}}
			if diff := cmp.Diff(want, got); diff != "" || got[0].Message == "" {
				t.Errorf("%.80q: (-want +got)\n%s", encoded, diff)
			}
			if match := verify(t, p, encoded, horse); match != (passwords.Match{Unreadable: true}) {
				t.Errorf("%.80q: Verify got %+v", encoded, match)
			}
		}
	})
	if took > 3*time.Second { // with the stops of the world that counting allocations takes
		t.Errorf("took %v", took)
	}
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// PASS-38: the caps themselves are allowed.
func TestImportAcceptsTheCaps(t *testing.T) {
	t.Parallel()
	for _, encoded := range []string{
		"$argon2id$v=19$m=1048576,t=20,p=16$" + b22 + "$" + b43,
		"$argon2i$v=19$m=8,t=1,p=1$" + b22 + "$" + b22,
		"scrypt$1048576$salt$8$16$" + b88,
		"pbkdf2_sha256$10000000$salt$" + b44,
		"$2b$16$" + c53, "$2y$04$" + c53, "bcrypt$$2b$16$" + c53,
	} {
		if usable, err := passwords.CheckImport(encoded); !usable || err != nil {
			t.Errorf("%s: got %v, %v", encoded, usable, err)
		}
	}
}

// PASS-33, PASS-38: no string panics or costs much, and the two ways to judge it agree.
func FuzzImport(f *testing.F) {
	for _, encoded := range imports {
		f.Add(encoded, horse)
	}
	for _, encoded := range refused {
		if len(encoded) < 1000 {
			f.Add(encoded, "x")
		}
	}
	f.Add("$argon2id$v=19$m=8,t=1,p=1$"+b22+"$"+b43, "\x00")
	f.Add("$2b$04$"+c53, strings.Repeat("x", 100))
	f.Add("scrypt$2$salt$1$1$"+b88, "ﷺ")
	f.Add("pbkdf2_sha1$1$salt$gS7kzs+Z+koJIMq/kg6T+tLKUpQ=", "")
	p := mustNew(f, passwords.Config{Hasher: &fake{}})
	f.Fuzz(func(t *testing.T, encoded, password string) {
		usable, err := passwords.CheckImport(encoded)
		if usable && err != nil {
			t.Fatalf("usable, but %v", err)
		}
		if !passwords.Affordable(encoded) || strings.HasPrefix(encoded, "fake:") {
			return
		}
		match := verify(t, p, encoded, password)
		if match.Unreadable && usable {
			t.Errorf("usable, but unreadable: %q", encoded)
		}
		if match.OK && !usable {
			t.Errorf("not usable, but right: %q", encoded)
		}
	})
}
