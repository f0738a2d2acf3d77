package secrets_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/roster-go/roster/secrets"
)

func generate(t testing.TB, id string) secrets.Secret {
	t.Helper()
	s, err := secrets.Generate(id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSESS_65_ParseSecrets(t *testing.T) {
	key := bytes.Repeat([]byte{0xfb, 0xff, 0x01}, 11) // both characters by which the alphabets differ
	std, url := base64.StdEncoding.EncodeToString(key), base64.RawURLEncoding.EncodeToString(key)

	t.Run("reads either alphabet, with and without padding and space", func(t *testing.T) {
		got, err := secrets.ParseSecrets(" k2:" + std + " ,\n k1:" + url)
		if err != nil {
			t.Fatal(err)
		}
		want := []secrets.Secret{{ID: "k2", Key: key}, {ID: "k1", Key: key}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("reads what Reveal writes", func(t *testing.T) {
		want := generate(t, "2026-11_a")
		got, err := secrets.ParseSecrets(want.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]secrets.Secret{want}, got); diff != "" {
			t.Error(diff)
		}
	})
	for name, text := range map[string]string{
		"nothing":             "",
		"white space":         " \n",
		"no id":               std,
		"an empty id":         ":" + std,
		"an id with a dot":    "a.b:" + std,
		"an id of 17":         strings.Repeat("k", 17) + ":" + std,
		"no key":              "k1:",
		"other characters":    "k1:!!!!",
		"a line break within": "k1:" + std[:8] + "\n" + std[8:],
		"loose bits":          "k1:AB",
		"a trailing comma":    "k1:" + std + ",",
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			if got, err := secrets.ParseSecrets(text); err == nil {
				t.Errorf("got %d secrets", len(got))
			}
		})
	}
	t.Run("tells all faults at once, and no text", func(t *testing.T) {
		_, err := secrets.ParseSecrets("top!secret," + "k:***," + "ok:" + std)
		got := fmt.Sprint(err)
		if !strings.Contains(got, "secret 1:") || !strings.Contains(got, "secret 2:") || strings.Contains(got, "top!") || strings.Contains(got, "***") {
			t.Error(got)
		}
	})
}

func TestSEC_69_RedactsItself(t *testing.T) {
	s := generate(t, "k1")
	ring, err := secrets.New([]secrets.Secret{s})
	if err != nil {
		t.Fatal(err)
	}
	forbidden := []string{
		string(s.Key), fmt.Sprintf("%x", s.Key), base64.StdEncoding.EncodeToString(s.Key),
		strings.Trim(fmt.Sprintf("%d", s.Key), "[]"), fmt.Sprintf("%#v", s.Key)[len("[]byte{"):],
	}
	type holder struct {
		Secret secrets.Secret
		List   []secrets.Secret
		Ring   *secrets.Ring
		hidden *secrets.Ring
	}
	for _, v := range []any{s, &s, ring, *ring, holder{s, []secrets.Secret{s}, ring, ring}, ring.For(secrets.Cursor)} {
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
			fmt.Fprintf(&out, verb, v)
		}
		slog.New(slog.NewTextHandler(&out, nil)).InfoContext(t.Context(), "x", slog.Any("v", v))
		slog.New(slog.NewJSONHandler(&out, nil)).InfoContext(t.Context(), "x", slog.Any("v", v))
		if err := json.NewEncoder(&out).Encode(v); err != nil {
			t.Error(err)
		}
		for _, text := range forbidden {
			if strings.Contains(out.String(), text) {
				t.Errorf("%T shows its key: %.500s", v, out.String())
			}
		}
	}
	if got := fmt.Sprintf("%+v", s); got != "[redacted]" {
		t.Errorf("got %q", got)
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("no randomness") }

func TestSEC_67_Generate(t *testing.T) {
	t.Run("gives 32 bytes, new each time", func(t *testing.T) {
		a, b := generate(t, "a"), generate(t, "a")
		if len(a.Key) != 32 || bytes.Equal(a.Key, b.Key) {
			t.Error("short or equal")
		}
	})
	t.Run("refuses a malformed id", func(t *testing.T) {
		if _, err := secrets.Generate("a:b"); err == nil {
			t.Error("no error")
		}
	})
	t.Run("is an error without randomness", func(t *testing.T) {
		sound := rand.Reader
		rand.Reader = failingReader{}
		defer func() { rand.Reader = sound }()
		if _, err := secrets.Generate("a"); err == nil {
			t.Error("no error")
		}
	})
}
