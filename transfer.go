package roster

import "encoding/json"

// UserRow is a user as a file has them: a JSON value for each column.
type UserRow struct {
	Columns []string // the same of each row of an export
	Values  []json.RawMessage
}

// ExportOptions asks ExportUsers for something beside the users.
type ExportOptions struct {
	// Hashes adds a column password_hash, which is null for users without a password.
	Hashes bool
}

// ExportColumns are the columns of an export, of a repo with these fields.
func ExportColumns(fields []Field, options ExportOptions) []string {
	columns := []string{
		"id", "username", "email", "email_verified", "phone", "phone_verified", "permissions", "superuser", "language", "time_zone",
		"created_at", "updated_at", "last_login_at", "version", "banned", "archived", "deleted", "has_password",
	}
	for _, f := range fields {
		if f.Custom {
			columns = append(columns, f.Name)
		}
	}
	if options.Hashes {
		columns = append(columns, "password_hash")
	}
	return columns
}

// ImportLine is a user as a file has them, on the way in: either a JSON object or the cells of a table.
type ImportLine struct {
	Number   int             // of the line in its file, for the report
	Document json.RawMessage // a JSON object
	// Cells are texts by the names of their columns, read according to the field; nil is an empty cell.
	Cells map[string]*string
	// Faults are why the line cannot be read.
	Faults FieldErrors
}

// OnConflict says what an import does with a line about somebody who is there already and is not as the line has them.
type OnConflict string

// The ways out of a conflict.
const (
	ConflictFails   OnConflict = "fail" // also ""
	ConflictSkips   OnConflict = "skip"
	ConflictUpdates OnConflict = "update"
)

// ImportSend is what users are sent that an import makes.
type ImportSend string

// What can be sent.
const (
	SendNone        ImportSend = "none"         // also ""
	SendConfirm     ImportSend = "confirm"      // a link that proves the e-mail address, where it is not proven
	SendPasswordSet ImportSend = "password_set" // a link by which a first password is set, where there is none
)

// ImportOptions says how users are imported.
type ImportOptions struct {
	// DryRun stores nothing, and tells what would become of each line.
	DryRun     bool
	OnConflict OnConflict
	Send       ImportSend
	// Fields rename members, from their names in the file: {"date_joined": "created_at"}. "" leaves a member out.
	Fields map[string]string
}

// ImportReport tells what became of the lines of an import.
type ImportReport struct {
	Lines       int             `json:"lines"`
	Created     int             `json:"created"`
	Updated     int             `json:"updated"`
	Unchanged   int             `json:"unchanged"`
	Skipped     int             `json:"skipped"`
	Failed      []ImportFailure `json:"failed"` // the first 100
	FailedTotal int             `json:"failed_total"`
}

// ImportFailure is why a line was not imported. What is wrong with no field, such as a hook's veto, is an error of the
// field "" that has the code of the whole.
type ImportFailure struct {
	Line   int         `json:"line"`
	Errors FieldErrors `json:"errors"`
}
