package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roster-go/roster/rostertest"
)

const (
	djangoHash = "pbkdf2_sha256$260000$rosterTestSalt$IRf1XAHUW62JexAkcgM9I20RAjr49FB6Acx3Giai+oE="
	djangoFile = "username,email,password,date_joined,is_superuser,first_name\n" +
		"ann,ann@example.com," + djangoHash + ",2019-03-01 12:00:00.25+00,f,Ann\n" +
		"root1,,!unusable,2018-03-01 12:00:00+00,t,\n"
)

// fileOf writes a file of a test.
func fileOf(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// blockOf is a block of docs/importing.md.
func blockOf(t *testing.T, language string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/importing.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "```"+language+"\n")
	block, _, _ := strings.Cut(rest, "```")
	if !found {
		t.Fatalf("docs/importing.md has no %s", language)
	}
	return block
}

// ADMIN-72 to ADMIN-75, case 27 of admin: users of Django, with the map of docs/importing.md.
func TestImportDjango(t *testing.T) {
	database := "--database=sqlite:" + filepath.Join(t.TempDir(), "roster.db")
	command(t, "", "migrate", "up", database)
	file, mapping := fileOf(t, "users.csv", djangoFile), fileOf(t, "django.json", blockOf(t, "json"))
	expect := func(wantStatus int, want string, args ...string) (out string) {
		t.Helper()
		status, out, errs := command(t, "", append(args, "--dev", database)...)
		if status != wantStatus || !strings.Contains(out+errs, want) {
			t.Errorf("roster %s: status %d, want %d with %q:\n%s%s", strings.Join(args, " "), status, wantStatus, want, out, errs)
		}
		return out
	}
	expect(0, "2 lines: 2 created, 0 updated, 0 unchanged, 0 skipped, 0 failed (dry run)", "import", file, "--map-file="+mapping, "--dry-run")
	expect(0, "2 lines: 2 created", "import", file, "--map-file="+mapping)
	expect(0, "2 lines: 0 created, 0 updated, 2 unchanged", "import", file, "--map-file="+mapping)
	expect(0, "1 lines: 0 created, 0 updated, 1 unchanged", "import", file, "--map-file="+mapping, "--from-line=3")
	expect(1, "line 2: is_superuser:unknown_field", "import", file, "--map=password=password_hash", "--map=date_joined=created_at", "--map=first_name=")
	expect(1, "line 2: password:forbidden_field", "import", file)
	expect(1, "--map-file", "import", file, "--map-file="+file)
	expect(1, "no such file", "import", file+"x")
	expect(2, "--on-conflict", "import", file, "--on-conflict=nonsense")
	for args, want := range map[string]string{
		"--filter=username=ann":      `"created_at":"2019-03-01T12:00:00.25Z"`,
		"--filter=superuser=true":    `"username":"root1"`,
		"--filter=username.in=ann,x": `"display_name":"Ann"`,
		"--q=ann":                    `"has_password":true`,
	} {
		if out := expect(0, want, "export", args); strings.Count(out, "\n") != 1 || strings.Contains(out, "pbkdf2") {
			t.Errorf("export %s: %s", args, out)
		}
	}
	expect(1, "want field=value", "export", "--filter=username")
	expect(1, "colour:unknown_field", "export", "--filter=colour=red")
	out := filepath.Join(t.TempDir(), "out.csv")
	expect(0, "", "export", out, "--format=csv", "--hashes")
	expect(1, "exists", "export", out)
	if info, err := os.Stat(out); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
	expect(0, "2 lines: 0 created, 0 updated, 2 unchanged", "import", out)
	other := "--database=sqlite:" + filepath.Join(t.TempDir(), "other.db")
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	command(t, "", "migrate", "up", other)
	if status, out, errs := command(t, string(text), "import", "--format=csv", "--dev", other); status != 0 || !strings.Contains(out, "2 created") {
		t.Errorf("import from the standard input: %d, %s%s", status, out, errs)
	}
	address, _ := serve(t, "--dev", other)
	login := rostertest.Call(t, http.MethodPost, "http://"+address+"/api/login", "", `{"login":"ann","password":"correct horse battery"}`)
	if login.Status != http.StatusOK {
		t.Errorf("log in with the password of Django: %+v", login)
	}
	if status, out, _ := command(t, "", "export", "--hashes", "--q=ann", "--dev", other); status != 0 || !strings.Contains(out, `"password_hash":"$argon2id$`) {
		t.Errorf("the hash after the log-in: %s", out)
	}
}
