package roster

import "github.com/google/uuid"

// ID names a user, a session or a message: a UUIDv7 (RFC 9562), made in Go, never given out twice.
type ID = uuid.UUID

// NewID makes an id.
func NewID() ID { return uuid.Must(uuid.NewV7()) }

// ParseID reads an id in its canonical form, 36 characters in lower or upper case. Any other spelling of a
// UUID, and the zero UUID, is ErrNotFound: nobody has such an id.
func ParseID(s string) (ID, error) {
	if len(s) != 36 {
		return ID{}, ErrNotFound
	}
	id, err := uuid.Parse(s)
	if err != nil || id == (ID{}) {
		return ID{}, ErrNotFound
	}
	return id, nil
}
