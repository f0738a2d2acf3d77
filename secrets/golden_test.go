package secrets_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/roster-go/roster/secrets"
)

// What an earlier release made of the secret of golden.
const (
	goldenSealed = "01026b31a7e08ea5593a6050193be949c1ef7bda401e424d3fb49d78a1b0c1debcea7bbe24791bae06916a6aa9394d7d0c0f36d212f3df"
	goldenMAC    = "035f746b65a465f66ecfff818dbc96887e3562f9c2b1bda8e98980e29afa014d"
)

// golden is a ring that is the same in every process and release.
func golden(t testing.TB) *secrets.Ring {
	t.Helper()
	key := sha256.Sum256([]byte("golden"))
	return ring(t, secrets.Secret{ID: "k1", Key: key[:]})
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestReadsWhatEarlierReleasesMade(t *testing.T) {
	got, err := golden(t).Open(secrets.Cursor, unhex(t, goldenSealed), []byte("users"))
	if err != nil || string(got) != "after=7" {
		t.Errorf("got %q, %v", got, err)
	}
	if got := golden(t).MAC(secrets.Counter, []byte("pair"), []byte("bob")); !bytes.Equal(got, unhex(t, goldenMAC)) {
		t.Errorf("got %x", got)
	}
}

// FuzzOpen: SEC-53, SEC-118. Nothing panics, and nothing but what was sealed opens.
func FuzzOpen(f *testing.F) {
	r, sealed := golden(f), unhex(f, goldenSealed)
	f.Add(sealed, []byte("users"))
	f.Add([]byte{}, []byte{})
	f.Add([]byte{1, 255}, []byte("users"))
	f.Add(append([]byte{1, 2, 'k', '1'}, make([]byte, 44)...), []byte("users"))
	f.Fuzz(func(t *testing.T, value, associated []byte) {
		_, err := r.Open(secrets.Cursor, value, associated)
		if err == nil && (!bytes.Equal(value, sealed) || string(associated) != "users") {
			t.Errorf("opened %x", value)
		}
	})
}
