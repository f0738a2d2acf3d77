package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roster-go/roster/store"
)

// SESS-62, SESS-63: the keys of a database, by the command.
func TestKeys(t *testing.T) {
	file := filepath.Join(t.TempDir(), "roster.db")
	database := "--database=sqlite:" + file
	_, secret, _ := command(t, "", "secret")
	secrets := "--secrets=" + strings.TrimSpace(secret)
	states := func(args ...string) (kids, states []string, errs string) {
		t.Helper()
		status, out, errs := command(t, "", append(append([]string{"keys"}, args...), database, secrets)...)
		if status != 0 {
			t.Fatalf("roster keys %v: status %d:\n%s", args, status, errs)
		}
		lines := strings.Split(strings.TrimSpace(out), "\n")
		for _, line := range lines[1:] {
			cells := strings.Fields(line)
			if len(cells) != 5 {
				t.Fatalf("roster keys %v: %q", args, line)
			}
			kids, states = append(kids, cells[0]), append(states, cells[2])
		}
		return kids, states, errs
	}
	expect := func(want string, got []string) {
		t.Helper()
		if strings.Join(got, " ") != want {
			t.Errorf("got the keys %q, want %s", got, want)
		}
	}
	if status, _, errs := command(t, "", "keys", "list", database, secrets); status != 1 || !strings.Contains(errs, "roster migrate up") {
		t.Errorf("without tables: status %d:\n%s", status, errs)
	}
	command(t, "", "migrate", "up", database)
	first, list, _ := states("list")
	expect("active next", list)
	kids, list, errs := states("rotate")
	expect("active next", list)
	if kids[0] != first[0] || !strings.Contains(errs, "nothing changed") {
		t.Errorf("rotated too early:\n%s", errs)
	}
	db, err := store.Open("sqlite:" + file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "UPDATE roster_keys SET created_at = $1 WHERE state = 'next'", time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	kids, list, errs = states("rotate")
	expect("active next retired", list)
	if kids[0] != first[1] || kids[2] != first[0] || errs != "" {
		t.Errorf("rotated from %q to %q:\n%s", first, kids, errs)
	}
	_, list, _ = states("revoke", kids[2])
	expect("active next revoked", list)
	kids, list, _ = states("revoke", kids[0])
	expect("active next revoked revoked", list)
	if kids[0] == first[1] {
		t.Error("the revoked key signs")
	}
	if status, out, errs := command(t, "", "keys", "revoke", "nobody", database, secrets); status != 1 || !strings.Contains(errs, `there is no key "nobody"`) || out != "" {
		t.Errorf("revoke nobody: status %d: %s%s", status, out, errs)
	}
	if status, _, errs := command(t, "", "keys", "list", database); status != 1 || !strings.Contains(errs, "--secrets is missing") {
		t.Errorf("without secrets: status %d: %s", status, errs)
	}
}

// Only serve migrates with --dev: other commands leave a table of another program as it is, and keys tells whose keys these are.
func TestDevMigratesInServeAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "app.db")
	database := "--database=sqlite:" + file
	db, err := store.Open("sqlite:" + file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	tables := func() (text string) {
		t.Helper()
		if err := db.GetContext(t.Context(), &text, "SELECT coalesce(group_concat(sql, ';'), '') FROM sqlite_schema"); err != nil {
			t.Fatal(err)
		}
		return text
	}
	commands := [][]string{
		{"keys", "list"}, {"keys", "rotate"}, {"export"}, {"import"}, {"user", "create-superuser", "--email=ann@example.com", "--password-stdin"},
	}
	for _, args := range commands {
		status, out, errs := command(t, "correct horse battery\n", append(args, "--dev", database)...)
		if status != 1 || !strings.Contains(errs, `run "roster migrate up"`) {
			t.Errorf("roster %v --dev without tables: status %d: %s%s", args, status, out, errs)
		}
	}
	if got := tables(); got != "" {
		t.Fatalf("without tables there are now: %s", got)
	}
	command(t, "", "migrate", "up", database)
	if _, err := db.ExecContext(t.Context(), "ALTER TABLE users DROP COLUMN company"); err != nil {
		t.Fatal(err)
	}
	before := tables()
	for _, args := range commands {
		status, out, errs := command(t, "correct horse battery\n", append(args, "--dev", database)...)
		if status != 1 || !strings.Contains(errs, "column company is missing") {
			t.Errorf("roster %v --dev on another's table: status %d: %s%s", args, status, out, errs)
		}
		if args[0] == "keys" && (strings.Contains(errs, "ALTER") || !strings.Contains(errs, "RevokeKey")) {
			t.Errorf("roster %v on another's table: %s", args, errs)
		}
	}
	if got := tables(); got != before {
		t.Errorf("the table was %s\nand is %s", before, got)
	}
}
