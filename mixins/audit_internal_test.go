package mixins

import (
	"reflect"
	"testing"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
)

// unrecorded are the operations that are no deed in the audit trail by themselves: who calls them is nobody yet, they look at
// nobody's account, or the program alone calls them.
var unrecorded = []string{
	"Authenticate", "CancelContactChange", "CheckNewPassword", "CheckTimeoutAndIncr", "CheckUsername", "ConfirmEmail", "ConfirmEmailChange",
	"CheckCSRF", "Decode", "ExportExtra", "Patch", "Fields", "GetIDForPasswordReset", "HashPassword", "IsBruteforce", "JWKS", "ListRevocations", "Login", "NewID", "RecordLoginFailure",
	"RecordLoginSuccess", "Refresh", "Register", "RequestPasswordReset", "ResendEmailConfirmation", "ResetPassword", "Revoke",
	"SetFirstPassword", "Site", "Stats", "TokenClaims", "VerifyToken",
}

// ADMIN-12: every operation has a name in the audit trail, which stays when that of the operation changes.
func TestActions(t *testing.T) {
	hooks := reflect.TypeFor[callbacks.Lifecycle[*roster.User]]()
	for m := range reflect.TypeFor[Self[*roster.User]]().Methods() {
		_, isHook := hooks.MethodByName(m.Name)
		_, isRecorded := actions[m.Name]
		isListed := false
		for _, name := range unrecorded {
			isListed = isListed || name == m.Name
		}
		if !isHook && isRecorded == isListed {
			t.Errorf("%s: recorded %t, listed as not recorded %t", m.Name, isRecorded, isListed)
		}
	}
}
