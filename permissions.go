package roster

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// The permissions that Roster's own operations ask of those who are neither superusers nor the program itself.
const (
	PermissionReadUsers       = "users:read"
	PermissionCreateUsers     = "users:create"
	PermissionUpdateUsers     = "users:update"
	PermissionDeleteUsers     = "users:delete"
	PermissionEndSessions     = "users:sessions"
	PermissionBan             = "users:ban"
	PermissionKick            = "users:kick"
	PermissionArchive         = "users:archive"
	PermissionGrant           = "users:permissions"
	PermissionSendCredentials = "users:credentials" // send reset links and confirmations, set proof marks
	PermissionReadBlackout    = "blackout:read"
	PermissionReadLockouts    = "lockouts:read"
	PermissionClearLockouts   = "lockouts:clear"
	PermissionReadAudit       = "audit:read"
	PermissionReadMessages    = "messages:read"
	PermissionRetryMessages   = "messages:retry"
	PermissionExport          = "export:run"
	PermissionImport          = "import:run"
)

// PermissionSuperuser stands for what superusers alone may do: no list of permissions grants it, "*" neither.
const PermissionSuperuser = "superuser"

// OwnPermissions are the permissions that Roster's own operations ask for.
func OwnPermissions() []string {
	return []string{
		PermissionReadUsers, PermissionCreateUsers, PermissionUpdateUsers, PermissionDeleteUsers, PermissionEndSessions,
		PermissionBan, PermissionKick, PermissionArchive, PermissionGrant, PermissionSendCredentials, PermissionReadBlackout,
		PermissionReadLockouts, PermissionClearLockouts, PermissionReadAudit, PermissionReadMessages, PermissionRetryMessages,
		PermissionExport, PermissionImport,
	}
}

// MaxPermission is how many characters a permission may have.
const MaxPermission = 100

var permissionForm = regexp.MustCompile(`^([a-z0-9_-]+[:.])*([a-z0-9_-]+|\*)$`)

// IsPermission reports whether a text has the form of a permission: words of a-z, 0-9, _ and -, with ":" or "." between them, the
// last of which may be "*".
func IsPermission(name string) bool {
	return len(name) <= MaxPermission && permissionForm.MatchString(name)
}

// Permissions is a user's list of permissions, sorted and without doubles. It is kept as a JSON array, since a
// []string does not scan on SQLite.
type Permissions []string

// NewPermissions returns names sorted and without doubles.
func NewPermissions(names ...string) Permissions {
	p := slices.Clone(names)
	slices.Sort(p)
	return slices.Compact(p)
}

// Covers reports whether the list grants name. "a:*" covers "a" and everything below "a:" (likewise with "."),
// "*" alone covers every name.
func (p Permissions) Covers(name string) bool {
	for _, held := range p {
		if held == name || held == "*" {
			return true
		}
		above, wild := strings.CutSuffix(held, "*")
		if !wild || !strings.ContainsAny(above[len(above)-1:], ":.") {
			continue
		}
		if strings.HasPrefix(name, above) || name == above[:len(above)-1] {
			return true
		}
	}
	return false
}

// MarshalJSON writes an array, also for a nil list.
func (p Permissions) MarshalJSON() ([]byte, error) {
	if p == nil {
		return []byte("[]"), nil
	}
	return json.Marshal([]string(p))
}

// Value implements driver.Valuer: JSON as text, which lib/pq needs with binary parameters.
func (p Permissions) Value() (driver.Value, error) {
	b, err := p.MarshalJSON()
	return string(b), err
}

// Scan implements sql.Scanner.
func (p *Permissions) Scan(src any) error {
	var text []byte
	switch v := src.(type) {
	case nil:
		*p = nil
		return nil
	case string:
		text = []byte(v)
	case []byte:
		text = v
	default:
		return fmt.Errorf("scan permissions: unexpected type %T", src)
	}
	if string(text) == "[]" {
		*p = Permissions{}
		return nil
	}
	var names []string
	if err := json.Unmarshal(text, &names); err != nil {
		return fmt.Errorf("scan permissions: %w", err)
	}
	*p = names
	return nil
}
