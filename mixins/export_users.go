package mixins

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// ExportUsers implements TransferOps.
func (m Transfer[U]) ExportUsers(ctx context.Context, query roster.Query, options roster.ExportOptions) iter.Seq2[roster.UserRow, error] {
	return func(yield func(roster.UserRow, error) bool) {
		if err := m.exportUsers(ctx, query, options, func(row roster.UserRow) bool { return yield(row, nil) }); err != nil {
			yield(roster.UserRow{}, err)
		}
	}
}

func (m Transfer[U]) exportUsers(ctx context.Context, query roster.Query, options roster.ExportOptions, yield func(roster.UserRow) bool) error {
	c := m.core
	ctx, err := c.enter(ctx, "ExportUsers")
	if err != nil {
		return err
	}
	if err := c.mayExport(ctx, options); err != nil {
		return err
	}
	query.Sort, query.Limit, query.Cursor, query.Total = nil, 0, "", roster.TotalNone
	q, err := c.translate(query)
	if err != nil {
		return err
	}
	if err := c.recordRead(ctx, nil, map[string]any{"q": query.Text, "hashes": options.Hashes}, nil); err != nil {
		return err
	}
	columns := roster.ExportColumns(c.Plan.shown(), options)
	var u U
	ended := false
	err = c.Store.ExportUsers(ctx, q, options.Hashes, func() []any {
		u = c.Plan.New()
		return c.Plan.dest(u)
	}, func(x store.Exported) error {
		row, err := c.exportRow(u, x, columns)
		if err != nil {
			return err
		}
		if ended = !yield(row); ended {
			return errEnough
		}
		return nil
	})
	if ended {
		return nil
	}
	return err
}

// errEnough ends a walk whose caller wants no more.
var errEnough = roster.ErrInternal.WithMessage("the caller wants no more rows")

func (c *Core[U]) mayExport(ctx context.Context, options roster.ExportOptions) error {
	if _, err := c.judge(ctx, roster.PermissionExport, roster.ID{}); err != nil {
		return err
	}
	if !options.Hashes {
		return nil
	}
	if _, err := c.judge(ctx, roster.PermissionSuperuser, roster.ID{}); err != nil {
		return err
	}
	if !c.Settings.Management.ExportHashes && !nested(ctx) && !roster.ActorFrom(ctx).Trusted() {
		return c.forbidden(ctx, roster.PermissionSuperuser, roster.ID{}).WithMessage("exporting hashes is switched off")
	}
	return nil
}

// exportRow is a user as administrators see one. Times have all of their digits, so that they come back as they were.
func (c *Core[U]) exportRow(u U, x store.Exported, columns []string) (roster.UserRow, error) {
	c.Plan.settle(u)
	b := u.Base()
	row := roster.UserRow{Columns: columns, Values: make([]json.RawMessage, len(columns))}
	for i, name := range columns {
		value, derived := exportedState(b, x, name)
		if !derived {
			value = c.Plan.byName[name].value(u).Interface()
		}
		text, err := json.Marshal(value)
		if err != nil {
			return row, roster.ErrInternal.WithCause(fmt.Errorf("encode the field %s: %w", name, err))
		}
		row.Values[i] = text
	}
	return row, nil
}

// exportedBan is what an export tells of a ban; the types below are those of the other states.
type exportedBan struct {
	At     time.Time  `json:"at"`
	Until  *time.Time `json:"until"`
	Reason string     `json:"reason"`
	Note   string     `json:"note"`
	By     *roster.ID `json:"by"`
}

type exportedArchive struct {
	At      time.Time `json:"at"`
	ByAdmin bool      `json:"by_admin"`
}

type exportedDeletion struct {
	At   time.Time          `json:"at"`
	Mode *roster.DeleteMode `json:"mode"`
}

// exportedState is the value of a column that is derived from the base user, or from what hangs on it.
func exportedState(b *roster.User, x store.Exported, name string) (value any, derived bool) {
	switch name {
	case "email_verified":
		return isProven(b.Email, b.EmailVerifiedAt), true
	case "phone_verified":
		return isProven(b.Phone, b.PhoneVerifiedAt), true
	case "banned":
		if b.BannedAt == nil {
			return nil, true
		}
		return exportedBan{*b.BannedAt, b.BannedUntil, x.Ban.Reason, x.Ban.Note, x.Ban.By}, true
	case "archived":
		if b.ArchivedAt == nil {
			return nil, true
		}
		return exportedArchive{*b.ArchivedAt, b.ArchivedBy != nil && *b.ArchivedBy == roster.ArchivedByAdmin}, true
	case "deleted":
		if b.DeletedAt == nil {
			return nil, true
		}
		return exportedDeletion{*b.DeletedAt, b.DeleteMode}, true
	case "has_password":
		return x.HasPassword, true
	case hashMember:
		return x.Hash, true
	}
	return nil, false
}

// isProven tells whether a contact is proven; nil without one.
func isProven(value *string, at *time.Time) *bool {
	if value == nil {
		return nil
	}
	return new(at != nil)
}
