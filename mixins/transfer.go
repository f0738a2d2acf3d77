package mixins

import (
	"context"
	"iter"

	"github.com/roster-go/roster"
)

// Transfer is the component that takes users out, as rows of a file, and in.
type Transfer[U roster.Model] struct{ core *Core[U] }

// NewTransfer returns the component on a core.
func NewTransfer[U roster.Model](c *Core[U]) Transfer[U] { return Transfer[U]{c} }

// TransferOps are the operations of Transfer.
type TransferOps interface {
	// ExportUsers returns all users whom query finds, in the order of ids, whatever its Sort, Limit, Cursor and Total say:
	// what administrators see of them, the program's own fields, and no secret. It reads them as they are asked for, as
	// they were at one moment, and ends with the first error. It needs export:run; hashes of passwords need a superuser
	// too, and Management.ExportHashes.
	ExportUsers(ctx context.Context, query roster.Query, options roster.ExportOptions) iter.Seq2[roster.UserRow, error]

	// ImportUsers makes users of lines: of JSON objects as POST /users takes them, and further id, created_at, superuser,
	// and password_hash of any kind that WithPasswordHash takes. Each is created by Create or changed by Update, in a
	// transaction of its own and with their hooks; one that fails stops no other, and is told in the report. Lines that
	// say nothing new are unchanged: what was broken off goes on by importing the same again.
	//
	// A line is about the user who has its id or, where it has none, its identifiers. Of a user who is there already, only
	// what PATCH /users/:id changes is changed; never rights, proof marks, times or the password. No line is about the
	// user of an earlier one: that is taken.
	//
	// With DryRun each transaction is rolled back. An error, also one that lines yields, ends the import; the report is of
	// what was done until then. It needs import:run. Nobody hands out permissions that they lack, makes or changes a
	// superuser without being one, or changes a contact of somebody who may do more than they.
	ImportUsers(ctx context.Context, lines iter.Seq2[roster.ImportLine, error], options roster.ImportOptions) (roster.ImportReport, error)
}
