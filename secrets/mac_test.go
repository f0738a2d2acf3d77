package secrets_test

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/roster-go/roster/secrets"
)

func TestSESS_65_MAC(t *testing.T) {
	old, fresh := generate(t, "k1"), generate(t, "k2")
	before, after := ring(t, old), ring(t, fresh, old)
	data := [][]byte{[]byte("login"), []byte("bob")}

	t.Run("is HMAC-SHA-256 under HKDF of the secret with the label of the purpose", func(t *testing.T) {
		key, err := hkdf.Key(sha256.New, old.Key, nil, "roster/v1/mac/csrf", 32)
		if err != nil {
			t.Fatal(err)
		}
		h := hmac.New(sha256.New, key)
		h.Write([]byte("\x00\x00\x00\x00\x00\x00\x00\x02ab\x00\x00\x00\x00\x00\x00\x00\x00"))
		if got := before.MAC(secrets.CSRF, []byte("ab"), nil); !bytes.Equal(got, h.Sum(nil)) {
			t.Errorf("got %x", got)
		}
	})
	t.Run("verifies under older secrets, and no longer when they are gone", func(t *testing.T) {
		mac := before.MAC(secrets.OneTimeCode, data...)
		if !before.VerifyMAC(secrets.OneTimeCode, mac, data...) || !after.VerifyMAC(secrets.OneTimeCode, mac, data...) {
			t.Error("refused")
		}
		if ring(t, fresh).VerifyMAC(secrets.OneTimeCode, mac, data...) {
			t.Error("accepted without its secret")
		}
		if macs := after.MACs(secrets.OneTimeCode, data...); len(macs) != 2 ||
			!bytes.Equal(macs[0], after.MAC(secrets.OneTimeCode, data...)) || !bytes.Equal(macs[1], mac) {
			t.Error("candidates are not newest first")
		}
	})
	t.Run("differs by purpose", func(t *testing.T) {
		mac := before.MAC(secrets.OneTimeCode, data...)
		if before.VerifyMAC(secrets.ContactCode, mac, data...) {
			t.Error("accepted for another purpose")
		}
	})
	t.Run("SEC-68 refuses cut, empty and altered MACs", func(t *testing.T) {
		mac := before.MAC(secrets.CSRF, data...)
		for i := range mac {
			flipped := bytes.Clone(mac)
			flipped[i] ^= 1
			if before.VerifyMAC(secrets.CSRF, mac[:i], data...) || before.VerifyMAC(secrets.CSRF, flipped, data...) {
				t.Error("accepted")
			}
		}
	})
	t.Run("finds the key by the id of the secret", func(t *testing.T) {
		keys := after.For(secrets.RefreshTag)
		if keys.CurrentID() != "k2" || after.CurrentID() != "k2" {
			t.Error("current is not the first")
		}
		mac, ok := keys.MAC("k1", data...)
		if !ok || !bytes.Equal(mac, before.MAC(secrets.RefreshTag, data...)) {
			t.Error("another key")
		}
		if mac, ok := keys.MAC("k3", data...); ok || mac != nil {
			t.Error("a MAC without a key")
		}
	})
	t.Run("works for a purpose that is not listed", func(t *testing.T) {
		if mac := before.MAC("app", data...); len(mac) != 32 || !before.VerifyMAC("app", mac, data...) {
			t.Error("refused")
		}
	})
}

// SESS-65: two lists of parts never share a MAC.
func TestSESS_65_MACFraming(t *testing.T) {
	r := ring(t, generate(t, "k1"))
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.SliceOfN(rapid.ByteRange(0, 2), 0, 9), 0, 4)
		a, b := parts.Draw(t, "a"), parts.Draw(t, "b")
		same := slices.EqualFunc(a, b, bytes.Equal)
		if r.VerifyMAC(secrets.Counter, r.MAC(secrets.Counter, a...), b...) != same {
			t.Fatalf("%v and %v", a, b)
		}
	})
}

func TestRingConcurrently(t *testing.T) {
	r := ring(t, generate(t, "k2"), generate(t, "k1"))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if !r.VerifyMAC("unlisted", r.MAC("unlisted", []byte("x")), []byte("x")) {
					t.Error("MAC refused")
				}
				if _, err := r.Open(secrets.Cursor, r.Seal(secrets.Cursor, nil, nil), nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
