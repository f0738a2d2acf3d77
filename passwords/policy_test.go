package passwords_test

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/passwords"
)

var marion = passwords.Owner{Username: "marion.weber", Email: "marion.weber@example.com", Phone: "+12025550123"}

// verdict is what is told of a password, code by code.
func verdict(p *passwords.Passwords, password string, owner passwords.Owner) string {
	var codes []string
	for _, fault := range p.CheckPolicy("password", roster.Secret(password), owner) {
		codes = append(codes, string(fault.Code))
	}
	return strings.Join(codes, " ")
}

// PASS-20, PASS-22, PASS-23, PASS-24, PASS-26, SEC-61, SEC-62: the vectors of password.md §4.
func TestPolicy(t *testing.T) {
	t.Parallel()
	p := mustNew(t, passwords.Config{ContextWords: []string{"Roster GmbH", "Musterstadt"}})
	for password, want := range map[string]string{
		"":                        "invalid",
		"short7!":                 "too_short",
		strings.Repeat("ab", 513): "too_long",
		"abc\x00defgh":            "invalid",

		"password": "common", "PassWord": "common", "12345678": "common", "qwertyuiop": "common", "iloveyou": "common",
		"11111111": "common", "aaaaaaaa": "common", "abababab": "common", "ｐａｓｓｗｏｒｄ": "common", "        ": "common",
		"roster gmbh": "common", "MUSTERSTADT": "common", "Musterstadt 1": "",

		"marion.weber": "similar", "Marion.Weber1": "similar", "rebew.noiram": "similar", "5550123!": "similar", "2025550123": "similar",
		"REBEW.NOIRAM": "similar", "12025550123": "similar", "32105552021": "similar", "3210555": "too_short similar",
		"example1": "similar", "elpmaxe1": "", "my example!": "similar", "maaion.webbr": "similar", "maaionxwebbr": "",
		"marion.webermarion.weber": "similar", "1234567marion.weber": "similar", "12345678marion.weber": "",
		"marion.weber likes mountain air": "",

		"correct horse battery": "", "  spaces kept  ": "", "zwölf boxkämpfer": "", "😀🚲🌧🧦🪁🫖🧊🪴": "", "xkqjvzwp": "", "83920174655": "",
		strings.Repeat("abcd", 16): "", strings.Repeat("abcd", 32): "", strings.Repeat("abcd", 64): "", strings.Repeat("abcd", 256): "",

		"aaa": "too_short common", "Weber": "too_short", "555": "too_short common",
	} {
		if got := verdict(p, password, marion); got != want {
			t.Errorf("%.40q: got %q, want %q", password, got, want)
		}
	}
}

// PASS-24: which parts of an owner count.
func TestOwner(t *testing.T) {
	t.Parallel()
	p := mustNew(t, passwords.Config{})
	for _, c := range []struct {
		owner   passwords.Owner
		similar []string
		fine    []string
	}{
		{passwords.Owner{}, nil, []string{"marion.weber", "5550123!"}},
		{passwords.Owner{Username: "ada"}, nil, []string{"ada lives", "adaada77"}},
		{passwords.Owner{Username: "anna"}, []string{"anna1234", "Anna lives"}, []string{"anna lives here"}},
		{passwords.Owner{Username: "JÜRGENMÜLLER"}, []string{"jürgenmüller", "rellümnegrüj"}, nil},
		{passwords.Owner{Email: "ann@mail.eu.big-corp.co.uk"}, []string{"big-corp", "Big-Corp99"}, []string{"mail.eu.", "co.uk.co.uk", "ann and bob"}},
		{passwords.Owner{Email: "x@bücherwurm.example"}, []string{"bücherwurm", "xn--bcherwurm-q9a"}, nil},
		{passwords.Owner{Email: "x@xn--bcherwurm-q9a.example"}, []string{"bücherwurm"}, nil},
		{passwords.Owner{Email: "root@localhost"}, []string{"localhost"}, nil},
		{passwords.Owner{Email: "no address"}, nil, []string{"no address"}},
		{passwords.Owner{Phone: "+49 30 901820"}, []string{"4930901820", "0901820x", "0281090394"}, []string{"83920174655"}},
		{passwords.Owner{Phone: "+123"}, nil, []string{"1234 abcd"}},
	} {
		for _, password := range c.similar {
			if got := verdict(p, password, c.owner); !strings.Contains(got, "similar") {
				t.Errorf("%+v: %q: got %q", c.owner, password, got)
			}
		}
		for _, password := range c.fine {
			if got := verdict(p, password, c.owner); got != "" {
				t.Errorf("%+v: %q: got %q", c.owner, password, got)
			}
		}
	}
}

// PASS-23: the embedded list has what it promises, and each entry is found.
func TestCommonList(t *testing.T) {
	t.Parallel()
	p := mustNew(t, passwords.Config{})
	list := strings.Split(strings.TrimSuffix(passwords.CommonList(), "\n"), "\n")
	if len(list) < 10_000 || !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) {
		t.Fatalf("%d entries", len(list))
	}
	for _, password := range list {
		if got := verdict(p, password, passwords.Owner{}); got != "common" {
			t.Errorf("%q: %q", password, got)
		}
		if got := verdict(p, password+"~Ж", passwords.Owner{}); got != "" {
			t.Errorf("%q: %q", password+"~Ж", got)
		}
	}
	for _, password := range []string{"!!!!b!a!", "zzzzzzzzz~Ж", "\u007f\u007f\u007fabcde"} {
		if got := verdict(p, password, passwords.Owner{}); got != "" {
			t.Errorf("%q: %q", password, got)
		}
	}
}

// checker is a BreachChecker.
type checker func(ctx context.Context, password roster.Secret) (bool, error)

func (f checker) Breached(ctx context.Context, password roster.Secret) (bool, error) {
	return f(ctx, password)
}

// PASS-25: a checker is asked for a second, and its failure is told without the password.
func TestBreached(t *testing.T) {
	const password = roster.Secret("correct horse battery")
	ask := func(t *testing.T, cfg passwords.Config) (string, error) {
		t.Helper()
		faults, err := mustNew(t, cfg).CheckBreached(t.Context(), "password", password)
		var codes []string
		for _, fault := range faults {
			codes = append(codes, fault.String())
		}
		return strings.Join(codes, " "), err
	}
	t.Run("asks none by default", func(t *testing.T) {
		if got, err := ask(t, passwords.Config{}); got != "" || err != nil {
			t.Error(got, err)
		}
	})
	t.Run("tells what it knows, of the normal form", func(t *testing.T) {
		var asked string
		p := mustNew(t, passwords.Config{Breached: checker(func(_ context.Context, password roster.Secret) (bool, error) {
			asked = password.Reveal()
			return true, nil
		})})
		faults, err := p.CheckBreached(t.Context(), "new", "ｃorrect horse battery")
		if asked != string(password) || err != nil || !slices.EqualFunc(faults, []string{"new:breached"}, func(f roster.FieldError, s string) bool { return f.String() == s }) {
			t.Error(asked, faults, err)
		}
	})
	failures := map[string]checker{
		"an error": func(context.Context, roster.Secret) (bool, error) { return true, errors.New("down") },
		"a panic":  func(_ context.Context, password roster.Secret) (bool, error) { panic(password.Reveal()) },
		"no answer": func(ctx context.Context, _ roster.Secret) (bool, error) {
			<-ctx.Done()
			return false, ctx.Err()
		},
		"a deaf one": func(context.Context, roster.Secret) (bool, error) {
			time.Sleep(time.Minute)
			return true, nil
		},
	}
	for name, failing := range failures {
		t.Run("gives up on "+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for _, closed := range []bool{false, true} {
					start := time.Now()
					got, err := ask(t, passwords.Config{Breached: failing, BreachedFailClosed: closed})
					if took := time.Since(start); took > time.Second {
						t.Errorf("took %s", took)
					}
					if got != "" || err == nil || strings.Contains(fmt.Sprintf("%+v", err), string(password)) || errors.Is(err, roster.ErrUnavailable) != closed {
						t.Errorf("%q, %v", got, err)
					}
				}
				time.Sleep(time.Hour) // lets the deaf ones end
			})
		})
	}
}

// PASS-25: HIBP sends five digits of a hash over https, and nothing else.
func TestHIBP(t *testing.T) {
	t.Parallel()
	sum := sha1.Sum([]byte("correct horse battery"))
	digest := strings.ToUpper(hex.EncodeToString(sum[:]))
	var body atomic.Value
	var status atomic.Int64
	var requests atomic.Int64
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		dump := fmt.Sprint(r.URL, r.Header, r.ContentLength)
		if r.URL.String() != "/base/range/"+digest[:5] || r.Header.Get("Add-Padding") != "true" || r.ContentLength != 0 ||
			strings.Contains(strings.ToUpper(dump), digest[5:15]) || len(r.Header) > 3 {
			t.Error(dump)
		}
		if code := int(status.Load()); code != http.StatusOK {
			w.Header().Set("Location", "/base/elsewhere")
			w.WriteHeader(code)
			return
		}
		_, _ = fmt.Fprint(w, body.Load())
	}))
	defer server.Close()
	h := passwords.HIBP{URL: server.URL + "/base/", Client: server.Client()}
	status.Store(http.StatusOK)
	for answer, want := range map[string]bool{
		"":                                      false,
		digest[5:] + ":3":                       true,
		strings.ToLower(digest[5:]) + ":12\r\n": true,
		strings.Repeat("0", 35) + ":1\r\n" + digest[5:] + ":10\r\n": true,
		digest[5:] + ":0\r\n":              false, // padding
		strings.Repeat("F", 35) + ":7\r\n": false,
	} {
		body.Store(answer)
		if got, err := h.Breached(t.Context(), "correct horse battery"); got != want || err != nil {
			t.Errorf("%q: %t, %v", answer, got, err)
		}
	}
	body.Store("<html>")
	if got, err := h.Breached(t.Context(), "correct horse battery"); got || err == nil {
		t.Error(got, err)
	}
	for _, code := range []int{301, 302, 307, 404, 429, 500} {
		status.Store(int64(code))
		before := requests.Load()
		if got, err := h.Breached(t.Context(), "correct horse battery"); got || err == nil || requests.Load() != before+1 {
			t.Error(code, got, err, requests.Load()-before)
		}
	}
	server.Close()
	if _, err := h.Breached(t.Context(), "correct horse battery"); err == nil || strings.Contains(err.Error(), digest[:5]) {
		t.Error(err)
	}
	for _, url := range []string{"http://hibp.example", "hibp.example", "https://", "https://a:b@hibp.example", "https://hibp.example?x=1", "https://hibp.example#x", ":"} {
		if _, err := passwords.New(passwords.Config{Breached: passwords.HIBP{URL: url}}); err == nil {
			t.Errorf("%s is taken", url)
		}
	}
	if _, err := passwords.New(passwords.Config{Breached: passwords.HIBP{}}); err != nil {
		t.Error(err)
	}
}

// PASS-22: the presets.
func TestPreset(t *testing.T) {
	t.Parallel()
	p := mustNew(t, passwords.Config{Preset: passwords.NIST})
	want := roster.FieldErrors{{Field: "password", Code: roster.TooShort, Params: map[string]any{"min": 15}}}
	if diff := cmp.Diff(want, p.CheckPolicy("password", "fourteen chars", passwords.Owner{})); diff != "" {
		t.Error(diff)
	}
	if got := verdict(p, "fifteen chars..", passwords.Owner{}); got != "" {
		t.Error(got)
	}
	for _, cfg := range []passwords.Config{{Preset: "strict"}, {Preset: passwords.NIST, MinLength: 14}, {MinLength: 7}} {
		if _, err := passwords.New(cfg); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}
