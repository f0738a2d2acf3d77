package secrets

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// Secret is a master secret. It prints as "[redacted]" with every verb of fmt, in JSON and in slog.
type Secret struct {
	ID  string // 1 to 16 of A-Z, a-z, 0-9, "_" and "-"; it appears in what is made under the secret
	Key []byte // at least 32 random bytes
}

const (
	redacted = "[redacted]"
	maxID    = 16
)

// Generate returns a fresh secret of 32 random bytes; Reveal tells it to the operator.
func Generate(id string) (Secret, error) {
	if !validID(id) {
		return Secret{}, errID
	}
	key := make([]byte, MinKey)
	if _, err := io.ReadFull(rand.Reader, key); err != nil {
		return Secret{}, fmt.Errorf("generate secret: %w", err)
	}
	return Secret{ID: id, Key: key}, nil
}

// ParseSecrets reads the form of flags and environment variables: "id:base64", several separated by commas, the
// current one first. White space around each is ignored. Base64 is of either alphabet, with or without padding
// (RFC 4648, sections 4 and 5). All faults are reported at once, by position and without the text; how good the
// secrets are is New's to judge.
func ParseSecrets(text string) ([]Secret, error) {
	if strings.TrimSpace(text) == "" {
		return nil, errNone
	}
	var (
		list   []Secret
		faults []error
	)
	for i, item := range strings.Split(text, ",") {
		id, encoded, found := strings.Cut(strings.TrimSpace(item), ":")
		key, err := decode(encoded)
		switch {
		case !found || !validID(id):
			faults = append(faults, fmt.Errorf("secret %d: must be id:base64, %w", i+1, errID))
		case err != nil || len(key) == 0:
			faults = append(faults, fmt.Errorf("secret %d: the part after the colon is not base64", i+1))
		default:
			list = append(list, Secret{ID: id, Key: key})
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return list, nil
}

var (
	errNone = errors.New("no secret given")
	errID   = errors.New(`an id has 1 to 16 of A-Z, a-z, 0-9, "_" and "-"`)
)

func decode(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") { // encoding/base64 would skip them
		return nil, base64.CorruptInputError(0)
	}
	text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	return base64.RawStdEncoding.Strict().DecodeString(text)
}

func validID(id string) bool {
	if id == "" || len(id) > maxID {
		return false
	}
	for _, c := range []byte(id) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// Reveal returns the secret in clear, in the form that ParseSecrets reads.
func (s Secret) Reveal() string { return s.ID + ":" + base64.StdEncoding.EncodeToString(s.Key) }

// String implements fmt.Stringer.
func (Secret) String() string { return redacted }

// Format implements fmt.Formatter, for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText implements encoding.TextMarshaler, and with it JSON.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
