package secrets

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
)

// Ring holds the master secrets and the keys derived from them. It never changes and is safe for concurrent use.
// Like a Secret, it prints as "[redacted]".
type Ring struct {
	// A func, since that is what fmt shows no content of even where it can call no methods: in unexported fields.
	sources func() []source
}

// source is one secret, the current one first.
type source struct {
	id      string
	master  []byte
	derived map[Purpose]keys
}

// keys are those of one purpose under one secret.
type keys struct{ mac, seal []byte }

// New returns the ring of a list of secrets; the first is for new values, all are for reading. The error tells all
// faults at once: none given, an id malformed or given twice, a key given twice, and whatever Check finds.
func New(list []Secret) (*Ring, error) {
	if len(list) == 0 {
		return nil, errNone
	}
	var faults []error
	sources := make([]source, len(list))
	for i, s := range list {
		fault := func(err error) { faults = append(faults, fmt.Errorf("secret %d: %w", i+1, err)) }
		if !validID(s.ID) {
			fault(errID)
		}
		if err := Check(s.Key); err != nil {
			fault(err)
		}
		for j, earlier := range list[:i] {
			if s.ID == earlier.ID {
				fault(fmt.Errorf("has the id of secret %d", j+1))
			}
			if hmac.Equal(s.Key, earlier.Key) {
				fault(fmt.Errorf("has the key of secret %d", j+1))
			}
		}
		var err error
		if sources[i], err = newSource(s); err != nil {
			fault(err)
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return &Ring{sources: func() []source { return sources }}, nil
}

func newSource(s Secret) (source, error) {
	src := source{id: s.ID, master: append([]byte(nil), s.Key...), derived: map[Purpose]keys{}}
	for _, p := range known() {
		k, err := derive(src.master, p)
		if err != nil {
			return source{}, err
		}
		src.derived[p] = k
	}
	return src, nil
}

// derive makes the keys of a purpose. It has no salt: the secrets are uniformly random (RFC 5869, section 3.1).
func derive(master []byte, p Purpose) (keys, error) {
	mac, err := hkdf.Key(sha256.New, master, nil, "roster/v1/mac/"+string(p), sha256.Size)
	if err != nil {
		return keys{}, fmt.Errorf("derive key: %w", err)
	}
	seal, err := hkdf.Key(sha256.New, master, nil, "roster/v1/seal/"+string(p), sha256.Size)
	if err != nil {
		return keys{}, fmt.Errorf("derive key: %w", err)
	}
	return keys{mac, seal}, nil
}

// keys returns those of a purpose. It is false only if a derivation fails that New has seen succeed.
func (s *source) keys(p Purpose) (keys, bool) {
	if k, ok := s.derived[p]; ok {
		return k, true
	}
	k, err := derive(s.master, p)
	return k, err == nil
}

func (r *Ring) current() *source { return &r.sources()[0] }

func (r *Ring) find(id string) (*source, bool) {
	sources := r.sources()
	i := slices.IndexFunc(sources, func(s source) bool { return s.id == id })
	if i < 0 {
		return nil, false
	}
	return &sources[i], true
}

// CurrentID returns the id of the secret that new values are made under.
func (r *Ring) CurrentID() string { return r.current().id }

// String implements fmt.Stringer.
func (Ring) String() string { return redacted }

// Format implements fmt.Formatter, for every verb.
func (Ring) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText implements encoding.TextMarshaler, and with it JSON.
func (Ring) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (Ring) LogValue() slog.Value { return slog.StringValue(redacted) }
