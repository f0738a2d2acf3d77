package tokens_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/tokens"
)

// tagKeys is the simplest TagKeys: the first of the list is current.
type tagKeys []struct{ id, key string }

func (k tagKeys) CurrentID() string { return k[0].id }

func (k tagKeys) MAC(id string, data ...[]byte) ([]byte, bool) {
	for _, s := range k {
		if s.id == id {
			h := hmac.New(sha256.New, []byte(s.key))
			for _, part := range data {
				h.Write(fmt.Appendf(nil, "%d:%s", len(part), part))
			}
			return h.Sum(nil), true
		}
	}
	return nil, false
}

func codec(t testing.TB, keys ...tagKeys) *tokens.RefreshCodec {
	t.Helper()
	list := tagKeys{{"k1", "one"}, {"k3", "three"}}
	if len(keys) > 0 {
		list = keys[0]
	}
	c, err := tokens.NewRefreshCodec(list)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newRefresh(t testing.TB, c *tokens.RefreshCodec, generation int64) (string, []byte) {
	t.Helper()
	token, hash, err := c.New(claims().SessionID, generation)
	if err != nil {
		t.Fatal(err)
	}
	return token.Reveal(), hash
}

func TestSESS_23_RefreshToken(t *testing.T) {
	c := codec(t)
	token, hash := newRefresh(t, c, 7)
	body, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, "rt1.k1."))
	if err != nil {
		t.Fatal(err)
	}
	t.Run("is rt1, key id and base64url of session, generation, secret and tag", func(t *testing.T) {
		sid := claims().SessionID
		sum := sha256.Sum256(body[24:56])
		if len(body) != 88 || !bytes.Equal(body[:16], sid[:]) || !bytes.Equal(body[16:24], []byte{0, 0, 0, 0, 0, 0, 0, 7}) || !bytes.Equal(sum[:], hash) {
			t.Errorf("got %x", body)
		}
	})
	t.Run("has at most 256 bytes, with the longest key id", func(t *testing.T) {
		long, _ := newRefresh(t, codec(t, tagKeys{{strings.Repeat("k", 16), "x"}}), 1<<62)
		if len(long) > 256 {
			t.Errorf("%d bytes", len(long))
		}
	})
	t.Run("SEC-68 says what it was made with, and matches that hash alone", func(t *testing.T) {
		got, err := c.Parse(token)
		if err != nil {
			t.Fatal(err)
		}
		if got.SessionID != claims().SessionID || got.Generation != 7 || !bytes.Equal(got.Hash, hash) || !got.Matches(hash) {
			t.Errorf("got %v", got)
		}
		other := bytes.Clone(hash)
		other[31] ^= 1
		if got.Matches(other) || got.Matches(nil) || got.Matches(hash[:31]) || (tokens.Refresh{}).Matches(nil) {
			t.Error("matches another hash")
		}
	})
	t.Run("has 256 bits of its own each time", func(t *testing.T) {
		again, otherHash := newRefresh(t, c, 7)
		if again == token || bytes.Equal(hash, otherHash) {
			t.Error("the same")
		}
	})
	t.Run("is made by no one who has the tag key and the database", func(t *testing.T) {
		// All that a dump gives: session id, generation, hash. With the hash in the place of the secret the tag is
		// right and the secret is not.
		forged := bytes.Clone(body)
		copy(forged[24:56], hash)
		tag, _ := tagKeys{{"k1", "one"}}.MAC("k1", []byte("rt1."), forged[:56])
		copy(forged[56:], tag)
		got, err := c.Parse("rt1.k1." + base64.RawURLEncoding.EncodeToString(forged))
		if err != nil || got.Matches(hash) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("is read under an older key until that is gone", func(t *testing.T) {
		if _, err := codec(t, tagKeys{{"k2", "two"}, {"k1", "one"}}).Parse(token); err != nil {
			t.Error(err)
		}
		for _, keys := range []tagKeys{{{"k2", "two"}}, {{"k1", "another"}}, {{"k2", "one"}}} {
			if _, err := codec(t, keys).Parse(token); !errors.Is(err, roster.ErrInvalidRefresh) {
				t.Errorf("got %v", err)
			}
		}
	})
	t.Run("comes back, whatever it holds", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			var sid roster.ID
			copy(sid[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "sid"))
			sid[6] = 0x70
			generation := rapid.Int64Min(0).Draw(t, "generation")
			token, hash, err := c.New(sid, generation)
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.Parse(token.Reveal())
			if err != nil || got.SessionID != sid || got.Generation != generation || !got.Matches(hash) {
				t.Fatalf("got %v, %v", got, err)
			}
		})
	})
}

func TestRefreshNewRefuses(t *testing.T) {
	sid := claims().SessionID
	silent, err := tokens.NewRefreshCodec(mute{})
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"no session":        func() error { _, _, err := codec(t).New(roster.ID{}, 1); return err },
		"less than nothing": func() error { _, _, err := codec(t).New(sid, -1); return err },
		"a malformed key id": func() error {
			_, _, err := codec(t, tagKeys{{"a.b", "x"}}).New(sid, 1)
			return err
		},
		"a key without tags": func() error { _, _, err := silent.New(sid, 1); return err },
		"no keys":            func() error { _, err := tokens.NewRefreshCodec(nil); return err },
	} {
		t.Run(name, func(t *testing.T) {
			if call() == nil {
				t.Error("no error")
			}
		})
	}
}

// mute names a key that it does not have.
type mute struct{}

func (mute) CurrentID() string                    { return "k1" }
func (mute) MAC(string, ...[]byte) ([]byte, bool) { return nil, false }

func TestSESS_25_ForgedRefreshTokens(t *testing.T) {
	c := codec(t)
	token, _ := newRefresh(t, c, 7)
	encoded := strings.TrimPrefix(token, "rt1.k1.")
	want := func(t *testing.T, text string) {
		t.Helper()
		if got, err := c.Parse(text); !errors.Is(err, roster.ErrInvalidRefresh) || got.Hash != nil {
			t.Errorf("%q: got %v", text, err)
		}
	}
	for name, text := range map[string]string{
		"nothing": "", "a prefix": "rt1.", "prefix and id": "rt1.k1.", "garbage": "garbage",
		"another version": "rt2.k1." + encoded, "no version": "k1." + encoded, "capitals": "RT1.k1." + encoded,
		"an unknown key id": "rt1.k2." + encoded, "another key id": "rt1.k3." + encoded, "no key id": "rt1.." + encoded,
		"a key id of 17": "rt1." + strings.Repeat("k", 17) + "." + encoded, "a path": "rt1.../x." + encoded,
		"a part more": token + ".x", "padding": token + "=", "a space": token + " ", "a line break": token + "\n",
		"a line break within": "rt1.k1." + encoded[:8] + "\n" + encoded[8:],
		"a byte more":         token + "AA", "257 bytes": token + strings.Repeat("A", 257-len(token)), "10 MiB": strings.Repeat("rt1.", 10<<18),
		"random bytes": "rt1.k1." + randomText(t, 88), "an access token": sign(t, issuer(t, key(t, tokens.HS256)), claims()),
	} {
		t.Run("refuses "+name, func(t *testing.T) { want(t, text) })
	}
	t.Run("refuses every flipped bit and every cut (SEC-48)", func(t *testing.T) {
		for n := range len(token) {
			for bit := range 8 {
				flipped := []byte(token)
				flipped[n] ^= 1 << bit
				want(t, string(flipped))
			}
			want(t, token[:n])
			want(t, token[:n]+token[n+1:])
		}
	})
	t.Run("knowing the session id is not enough (SEC-41)", func(t *testing.T) {
		body, _ := base64.RawURLEncoding.DecodeString(encoded)
		_, _ = rand.Read(body[24:])
		want(t, "rt1.k1."+base64.RawURLEncoding.EncodeToString(body))
	})
}

func randomText(t *testing.T, n int) string {
	t.Helper()
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

func TestSESS_29_Successor(t *testing.T) {
	c := codec(t)
	parse := func(generation int64) (tokens.Refresh, roster.Secret) {
		text, _ := newRefresh(t, c, generation)
		r, err := c.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return r, roster.Secret(text)
	}
	previous, _ := parse(5)
	_, next := parse(6)
	sealed, err := previous.SealSuccessor(next, "node 1")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("opens for the previous token", func(t *testing.T) {
		got, by, err := previous.OpenSuccessor(sealed)
		if err != nil || got.Reveal() != next.Reveal() || by != "node 1" {
			t.Errorf("got %q, %v", by, err)
		}
	})
	t.Run("may be of a node without a name", func(t *testing.T) {
		sealed, err := previous.SealSuccessor(next, "")
		if err != nil {
			t.Fatal(err)
		}
		if got, by, err := previous.OpenSuccessor(sealed); err != nil || got.Reveal() != next.Reveal() || by != "" {
			t.Errorf("got %q, %v", by, err)
		}
	})
	t.Run("is a token", func(t *testing.T) {
		if _, err := previous.SealSuccessor(next+" ", "node 1"); err == nil {
			t.Error("sealed with a space in it")
		}
	})
	t.Run("opens for no other", func(t *testing.T) {
		other, _ := parse(5)
		renumbered := previous
		renumbered.Generation = 4
		for name, r := range map[string]tokens.Refresh{"another secret": other, "another generation": renumbered, "no token": {}} {
			if got, by, err := r.OpenSuccessor(sealed); err == nil || got != "" || by != "" {
				t.Errorf("%s opens it", name)
			}
		}
		if _, err := (tokens.Refresh{}).SealSuccessor(next, "node 1"); err == nil {
			t.Error("sealed for no token")
		}
	})
	t.Run("hides the successor, and opens neither cut nor altered", func(t *testing.T) {
		if bytes.Contains(sealed, []byte(next.Reveal()[:20])) {
			t.Error("in clear")
		}
		for n := range sealed {
			flipped := bytes.Clone(sealed)
			flipped[n] ^= 1
			for _, bad := range [][]byte{sealed[:n], flipped} {
				if _, _, err := previous.OpenSuccessor(bad); err == nil {
					t.Fatalf("opens at %d", n)
				}
			}
		}
	})
}

func TestSEC_69_RefreshRedactsItself(t *testing.T) {
	c := codec(t)
	token, hash, err := c.New(claims().SessionID, 7)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Parse(token.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	body, _ := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token.Reveal(), "rt1.k1."))
	secret := body[24:56]
	type holder struct {
		Refresh tokens.Refresh
		hidden  tokens.Refresh
	}
	for _, v := range []any{r, &r, holder{r, r}, token} {
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
			fmt.Fprintf(&out, verb, v)
		}
		slog.New(slog.NewTextHandler(&out, nil)).InfoContext(t.Context(), "x", slog.Any("v", v))
		slog.New(slog.NewJSONHandler(&out, nil)).InfoContext(t.Context(), "x", slog.Any("v", v))
		if err := json.NewEncoder(&out).Encode(v); err != nil {
			t.Error(err)
		}
		for _, text := range []string{
			string(secret), fmt.Sprintf("%x", secret), strings.Trim(fmt.Sprintf("%d", secret), "[]"), token.Reveal(), base64.StdEncoding.EncodeToString(secret),
		} {
			if strings.Contains(out.String(), text) {
				t.Errorf("%T shows its secret", v)
			}
		}
	}
	if got := fmt.Sprint(r); got != "[redacted]" || strings.Contains(got, fmt.Sprintf("%x", hash)) {
		t.Errorf("got %q", got)
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("no randomness") }

func TestSEC_67_RandomnessFails(t *testing.T) {
	i := issuer(t, key(t, tokens.HS256))
	unnamed := claims()
	unnamed.TokenID = roster.ID{}
	sound := rand.Reader
	rand.Reader = failingReader{}
	defer func() { rand.Reader = sound }()
	if token, _, err := codec(t).New(claims().SessionID, 1); err == nil || token != "" {
		t.Error("a refresh token without randomness")
	}
	if token, err := i.Sign(unnamed); err == nil || token != "" {
		t.Error("a token id without randomness")
	}
	if _, err := tokens.Generate(tokens.HS256, now); err == nil {
		t.Error("a secret without randomness")
	}
}
