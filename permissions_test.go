package roster_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/roster-go/roster"
)

// MGMT-9: what a list of permissions covers.
func TestPermissionsCover(t *testing.T) {
	held := roster.NewPermissions("users:read", "shop.orders:*", "reports.*", "odd*", "users:read")
	if len(held) != 4 || !slices.IsSorted(held) {
		t.Errorf("%v: want them sorted, each once", held)
	}
	for name, want := range map[string]bool{
		"users:read": true, "users:update": false, "users": false, "users:*": false, "users:read:all": false,
		"shop.orders:write": true, "shop.orders:write:all": true, "shop.orders:*": true, "shop.orders": true, "shop.ordersx": false, "shop": false,
		"reports.daily": true, "reports": true, "reportsx": false, "odd*": true, "oddity": false, "odd": false, "": false, "*": false,
	} {
		if got := held.Covers(name); got != want {
			t.Errorf("covers %q: %t, want %t", name, got, want)
		}
		if !roster.NewPermissions("*").Covers(name) || roster.Permissions(nil).Covers(name) {
			t.Errorf("%q: * covers all, an empty list nothing", name)
		}
	}
}

// USER-3: one spelling of ids.
func TestParseID(t *testing.T) {
	id := roster.NewID()
	for _, text := range []string{id.String(), strings.ToUpper(id.String())} {
		if got, err := roster.ParseID(text); got != id || err != nil {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "1", "{" + id.String() + "}", "urn:uuid:" + id.String(), strings.ReplaceAll(id.String(), "-", ""),
		id.String()[1:] + "g", roster.ID{}.String(), " " + id.String()[1:],
	} {
		if got, err := roster.ParseID(text); !errors.Is(err, roster.ErrNotFound) || got != (roster.ID{}) {
			t.Errorf("%q: %v, %v; want not found", text, got, err)
		}
	}
}
