package secrets_test

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/roster-go/roster/secrets"
)

func TestSEC_118_Seal(t *testing.T) {
	old, fresh := generate(t, "k1"), generate(t, "k2")
	before, after := ring(t, old), ring(t, fresh, old)
	text, row := []byte("one link"), []byte("outbox/1")
	sealed := before.Seal(secrets.Outbox, text, row)

	t.Run("swap of sealed values between rows fails", func(t *testing.T) {
		if _, err := before.Open(secrets.Outbox, sealed, []byte("outbox/2")); !errors.Is(err, secrets.ErrSealed) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a value for one purpose opens for no other", func(t *testing.T) {
		for _, p := range []secrets.Purpose{secrets.Cursor, secrets.SigningKeys, "", "unlisted"} {
			if _, err := before.Open(p, sealed, row); !errors.Is(err, secrets.ErrSealed) {
				t.Errorf("%q: got %v", p, err)
			}
		}
	})
	t.Run("rotate and read", func(t *testing.T) {
		got, err := after.Open(secrets.Outbox, sealed, row)
		if err != nil || !bytes.Equal(got, text) {
			t.Errorf("got %q, %v", got, err)
		}
		if after.Current(sealed) || !after.Current(after.Seal(secrets.Outbox, text, row)) || after.Current(nil) {
			t.Error("Current does not tell the secrets apart")
		}
		_, err = ring(t, fresh).Open(secrets.Outbox, sealed, row)
		if !errors.Is(err, secrets.ErrUnknownSecret) || !errors.Is(err, secrets.ErrSealed) {
			t.Errorf("got %v, want ErrUnknownSecret", err)
		}
	})
	t.Run("another secret of the same id does not open it", func(t *testing.T) {
		if _, err := ring(t, generate(t, "k1")).Open(secrets.Outbox, sealed, row); !errors.Is(err, secrets.ErrSealed) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("is at most 62 bytes longer than the text", func(t *testing.T) {
		long := ring(t, generate(t, "0123456789abcdef")).Seal(secrets.Outbox, text, row)
		if n := len(long) - len(text); n != 62 {
			t.Errorf("%d bytes", n)
		}
	})
	t.Run("two seals of one text differ and hide it", func(t *testing.T) {
		if again := before.Seal(secrets.Outbox, text, row); bytes.Equal(again, sealed) || bytes.Contains(again, text) {
			t.Error("they do not")
		}
	})
}

// SEC-48: one changed bit or cut byte at any place is refused.
func TestSEC_48_SealedBitsAndCuts(t *testing.T) {
	r := ring(t, generate(t, "k1"), generate(t, "k3")) // k1 and k3 differ by one bit
	sealed := r.Seal(secrets.Cursor, []byte("after=7"), nil)
	for i := range sealed {
		for bit := range 8 {
			flipped := bytes.Clone(sealed)
			flipped[i] ^= 1 << bit
			if _, err := r.Open(secrets.Cursor, flipped, nil); err == nil {
				t.Fatalf("byte %d, bit %d", i, bit)
			}
		}
		if _, err := r.Open(secrets.Cursor, sealed[:i], nil); err == nil {
			t.Fatalf("cut at %d", i)
		}
	}
	if _, err := r.Open(secrets.Cursor, append(sealed, 0), nil); err == nil {
		t.Error("a byte more")
	}
}

func TestSEC_118_SealRoundTrip(t *testing.T) {
	r := ring(t, generate(t, "k1"))
	rapid.Check(t, func(t *rapid.T) {
		text, ad := rapid.SliceOf(rapid.Byte()).Draw(t, "text"), rapid.SliceOf(rapid.Byte()).Draw(t, "ad")
		got, err := r.Open("any", r.Seal("any", text, ad), ad)
		if err != nil || !bytes.Equal(got, text) {
			t.Fatalf("got %x, %v", got, err)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	r := ring(b, generate(b, "k1"))
	text := make([]byte, 256)
	b.ReportAllocs()
	for b.Loop() {
		r.Seal(secrets.Outbox, text, []byte("outbox/1"))
	}
}

func BenchmarkOpen(b *testing.B) {
	r := ring(b, generate(b, "k1"))
	sealed := r.Seal(secrets.Outbox, make([]byte, 256), []byte("outbox/1"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Open(secrets.Outbox, sealed, []byte("outbox/1")); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMAC(b *testing.B) {
	r := ring(b, generate(b, "k1"))
	subject := []byte("bob@example.com")
	b.ReportAllocs()
	for b.Loop() {
		r.MAC(secrets.Counter, subject)
	}
}
