package mixins

import (
	"context"
	"encoding/json"

	"github.com/roster-go/roster"
)

// CRUD is the component that stores, finds, changes and deletes users.
type CRUD[U roster.Model] struct{ core *Core[U] }

// NewCRUD returns the component on a core.
func NewCRUD[U roster.Model](c *Core[U]) CRUD[U] { return CRUD[U]{c} }

// CRUDOps are the operations of CRUD. An id that is unknown, malformed or zero is roster.ErrNotFound everywhere.
type CRUDOps[U roster.Model] interface {
	// Create stores a user and returns it as it is stored. Its status (superuser, permissions, proven contacts, times)
	// comes from options alone. All faults of the input are told together: roster.ErrValidationFailed, or
	// roster.ErrIdentifierTaken when nothing else is wrong. Users need the permission users:create.
	Create(ctx context.Context, user U, options ...roster.CreateOption) (U, error)

	// CreateSuperuser is Create for a user who may do everything. It is for Go code and the command line.
	CreateSuperuser(ctx context.Context, user U, options ...roster.CreateOption) (U, error)

	// Get returns the user with an id, also a banned, archived, deactivated or anonymised one. To read others than
	// themselves, users need the permission users:read, here and in all GetBy….
	Get(ctx context.Context, id roster.ID) (U, error)

	// GetByEmail returns the user with an e-mail address, in whatever spelling; not an anonymised one, as all GetBy….
	// What is no address is roster.ErrNotFound.
	GetByEmail(ctx context.Context, email string) (U, error)

	// GetByUsername returns the user with a username, in whatever spelling.
	GetByUsername(ctx context.Context, username string) (U, error)

	// GetByPhone returns the user with a phone number, in whatever spelling.
	GetByPhone(ctx context.Context, phone string) (U, error)

	// GetBySocial returns the user whom an account at a provider is linked with; both are compared exactly.
	GetBySocial(ctx context.Context, provider, subject string) (U, error)

	// GetByLogin returns the user with an identifier of any kind: an "@" makes it an e-mail address, a first letter a
	// username, anything else a phone number.
	GetByLogin(ctx context.Context, login string) (U, error)

	// Update lets fn edit a user whose row is locked, and stores what it changed. fn may not change the id, times,
	// version, rights or state, which have operations of their own. When it changes nothing, nothing is written and no
	// event fires. Its error is returned as it is. Users need users:update for others than themselves; their own e-mail
	// address and phone number are forbidden_field: RequestEmailChange and RequestPhoneChange ask for proof.
	Update(ctx context.Context, id roster.ID, fn func(user U) error, options ...roster.UpdateOption) (U, error)

	// Delete deactivates, anonymises or removes a user and ends all sessions. Doing it again changes nothing, except
	// that a removed user is roster.ErrNotFound. The last usable superuser is roster.ErrLastSuperuser. Users need
	// users:delete, and may not delete themselves by it.
	Delete(ctx context.Context, id roster.ID, mode roster.DeleteMode) error

	// Restore brings a deactivated user back; their sessions stay ended. A live user is returned as they are, an
	// anonymised one is roster.ErrConflict. Users need users:delete.
	Restore(ctx context.Context, id roster.ID) (U, error)

	// UpdateLastLogin moves the time of the last log-in to now, never back. No event fires, the version stays.
	UpdateLastLogin(ctx context.Context, id roster.ID) error

	// Search returns a page of the users that a query finds: live ones, unless it filters by "deleted". A query that
	// makes no sense is roster.ErrValidationFailed, a cursor of another query roster.ErrInvalidCursor. Users need
	// users:read.
	Search(ctx context.Context, query roster.Query) (roster.Page[U], error)

	// Count returns how many users a query finds in all.
	Count(ctx context.Context, query roster.Query) (int64, error)

	// LinkSocial links a user with an account at a provider. One that is linked with the same user gets the new data
	// and fires no event; one of another user is roster.ErrIdentifierTaken. Equal e-mail addresses link nobody.
	LinkSocial(ctx context.Context, id roster.ID, account roster.SocialAccount) error

	// UnlinkSocial takes a link away; the last way to log in is roster.ErrLastCredential.
	UnlinkSocial(ctx context.Context, id roster.ID, provider, subject string) error

	// ListSocial returns a user's links, oldest first. Users need users:read for others than themselves, and are shown
	// those with the subject masked.
	ListSocial(ctx context.Context, id roster.ID) ([]roster.SocialAccount, error)

	// Fields returns the members of a user as clients see them, and who may do what with each.
	Fields() []roster.Field

	// Decode makes a user from a JSON object whose members w may write. With faults it returns what could be read, and
	// roster.ErrValidationFailed.
	Decode(ctx context.Context, document json.RawMessage, w roster.Writer) (U, error)

	// Patch changes a user by a JSON object whose members w may write: absent members stay, null clears. With faults
	// it tells those of the changed identifiers too.
	Patch(ctx context.Context, user U, document json.RawMessage, w roster.Writer) error

	// NewID returns a fresh id: a UUIDv7.
	NewID() roster.ID
}

// Fields implements CRUDOps.
func (m CRUD[U]) Fields() []roster.Field {
	if m.core == nil {
		return nil
	}
	return m.core.Plan.shown()
}

// shown are the fields that clients see.
func (p *Plan[U]) shown() []roster.Field {
	var list []roster.Field
	for _, f := range p.fields {
		if !f.hidden {
			list = append(list, f.Field)
		}
	}
	return list
}

// Decode implements CRUDOps.
func (m CRUD[U]) Decode(ctx context.Context, document json.RawMessage, w roster.Writer) (U, error) {
	var none U
	if _, err := m.core.enter(ctx, "Decode"); err != nil {
		return none, err
	}
	u := m.core.Plan.New()
	faults := m.core.Plan.decode(u, document, w)
	return u, faults.Err()
}

// Patch implements CRUDOps.
func (m CRUD[U]) Patch(ctx context.Context, user U, document json.RawMessage, w roster.Writer) error {
	ctx, err := m.core.enter(ctx, "Patch")
	if err != nil {
		return err
	}
	faults := m.core.Plan.decode(user, document, w)
	if len(faults) > 0 {
		m.core.identify(ctx, m.core.Plan.clone(user), m.core.Identifiers.Email, &faults)
	}
	return faults.Err()
}

// NewID implements CRUDOps.
func (m CRUD[U]) NewID() roster.ID { return roster.NewID() }
