package secrets_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/roster-go/roster/secrets"
)

func ring(t testing.TB, list ...secrets.Secret) *secrets.Ring {
	t.Helper()
	r, err := secrets.New(list)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func sequence(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func TestSEC_54_Check(t *testing.T) {
	good := generate(t, "k").Key
	for name, c := range map[string]struct{ key, fault string }{
		"none":                      {"", "0 bytes"},
		"secret":                    {"secret", "6 bytes"},
		"31 bytes":                  {string(good[:31]), "31 bytes"},
		"32 times a":                {strings.Repeat("a", 32), "repeats one byte"},
		"zeros":                     {string(make([]byte, 32)), "repeats one byte"},
		"a pattern":                 {strings.Repeat("x7Q!", 10), "repeats a pattern"},
		"16 bytes twice":            {string(good[:16]) + string(good[:16]), "repeats a pattern"},
		"secret repeated":           {strings.Repeat("secret", 8), "sample"},
		"jwt.io's old sample":       {"your-256-bit-secret", "sample"},
		"jwt.io's new sample":       {"a-string-secret-at-least-256-bits-long", "sample"},
		"a sample in capitals":      {"CHANGEME-CHANGEME-CHANGEME-NOW-1", "sample"},
		"our documentation's":       {"roster-example-key-do-not-use-it-anywhere", "sample"},
		"a sample in base64":        {base64.StdEncoding.EncodeToString([]byte("this is the secret of our server!")), "sample"},
		"a sample in hexadecimal":   {hex.EncodeToString([]byte("changeme changeme changeme 12345")), "sample"},
		"bytes in order":            {string(sequence(32)), "sequence"},
		"bytes in order, as digits": {hex.EncodeToString(sequence(32)), "sequence"},
		"the alphabet":              {"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "sequence"},
		"few values":                {"azzazaazzaazazzazaazazzaazzazaazzaaz", "entropy"},
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			err := secrets.Check([]byte(c.key))
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("got %v, want %q", err, c.fault)
			}
			if len(c.key) > 8 && strings.Contains(fmt.Sprint(err), c.key) {
				t.Error("shows the key")
			}
		})
	}
	t.Run("accepts random keys, as bytes and as text", func(t *testing.T) {
		for range 2000 {
			key := generate(t, "k").Key
			for _, form := range [][]byte{
				key,
				[]byte(hex.EncodeToString(key)),
				[]byte(hex.EncodeToString(key[:16])),
				[]byte(base64.StdEncoding.EncodeToString(key)),
				[]byte(base64.RawURLEncoding.EncodeToString(key)),
			} {
				if err := secrets.Check(form); err != nil {
					t.Fatalf("%q: %v", form, err)
				}
			}
		}
	})
}

func TestSESS_65_New(t *testing.T) {
	good, other := generate(t, "k1"), generate(t, "k2")
	for name, c := range map[string]struct {
		list  []secrets.Secret
		fault string
	}{
		"no secret":         {nil, "no secret given"},
		"no id":             {[]secrets.Secret{{Key: good.Key}}, "an id has"},
		"an id with a dot":  {[]secrets.Secret{{ID: "a.b", Key: good.Key}}, "an id has"},
		"an id of 17":       {[]secrets.Secret{{ID: strings.Repeat("a", 17), Key: good.Key}}, "an id has"},
		"a doubled id":      {[]secrets.Secret{good, {ID: "k1", Key: other.Key}}, "secret 2: has the id of secret 1"},
		"a key given twice": {[]secrets.Secret{good, {ID: "k2", Key: good.Key}}, "secret 2: has the key of secret 1"},
		"a weak key":        {[]secrets.Secret{good, {ID: "k2", Key: bytes.Repeat([]byte{7}, 32)}}, "secret 2: repeats one byte"},
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			if _, err := secrets.New(c.list); err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("got %v, want %q", err, c.fault)
			}
		})
	}
	t.Run("tells all faults at once", func(t *testing.T) {
		_, err := secrets.New([]secrets.Secret{{ID: "", Key: []byte("changeme")}, good, {ID: "k1", Key: []byte("aaaa")}})
		for _, want := range []string{
			"secret 1: an id has", "secret 1: 8 bytes", "sample", "secret 3: has the id of secret 2", "secret 3: 4 bytes", "repeats one byte",
		} {
			if !strings.Contains(fmt.Sprint(err), want) {
				t.Errorf("%q lacks %q", err, want)
			}
		}
	})
	t.Run("keeps its own copy of the keys", func(t *testing.T) {
		s := secrets.Secret{ID: "k1", Key: bytes.Clone(good.Key)}
		r := ring(t, s)
		before := r.MAC("unlisted", []byte("x"))
		clear(s.Key)
		if !bytes.Equal(before, r.MAC("unlisted", []byte("x"))) {
			t.Error("the keys changed with the caller's slice")
		}
	})
}
