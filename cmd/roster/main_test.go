package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/internal/servers"
	"github.com/roster-go/roster/mixins"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/routes"
)

// command runs the command in this process.
func command(t *testing.T, in string, args ...string) (status int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status = run(t.Context(), args, strings.NewReader(in), &stdout, &stderr)
	return status, stdout.String(), stderr.String()
}

func TestMigrate(t *testing.T) {
	database := "--database=sqlite:" + filepath.Join(t.TempDir(), "roster.db")
	expect := func(wantStatus int, want string, args ...string) {
		t.Helper()
		status, out, errs := command(t, "", append(args, database)...)
		if status != wantStatus || !strings.Contains(out+errs, want) {
			t.Errorf("roster %s: status %d, want %d with %q:\n%s%s", strings.Join(args, " "), status, wantStatus, want, out, errs)
		}
	}
	expect(1, "run \"roster migrate up\"", "migrate", "validate")
	expect(0, "pending", "migrate", "status")
	expect(0, "applied 8", "migrate", "up")
	expect(0, "", "migrate", "up")
	expect(0, "valid", "migrate", "validate")
	expect(0, "applied 20", "migrate", "status")
	expect(0, "CREATE TABLE", "migrate", "sql")
	expect(0, "took back 8", "migrate", "down", "1")
	expect(0, "applied 8", "migrate", "up")
	expect(0, "took back 8", "migrate", "down", "1", "--drop-users")
	expect(2, "unknown flag", "migrate", "up", "--nonsense")
}

// In the database of another program nothing is added to its users but Roster's own columns.
func TestMigrateNoColumns(t *testing.T) {
	database := "--database=sqlite:" + filepath.Join(t.TempDir(), "roster.db")
	for args, want := range map[string]bool{"migrate sql": true, "migrate sql --no-columns": false} {
		status, out, errs := command(t, "", append(strings.Fields(args), database)...)
		if status != 0 || strings.Contains(out, "display_name") != want {
			t.Errorf("roster %s: status %d, with display_name: %t wanted:\n%s", args, status, want, errs)
		}
	}
	for _, step := range []struct{ args, want string }{
		{"migrate up --no-columns", "applied 8"},
		{"migrate validate", "column display_name is missing"},
		{"migrate up", ""},
		{"migrate validate", "valid"},
	} {
		if status, out, errs := command(t, "", append(strings.Fields(step.args), database)...); !strings.Contains(out+errs, step.want) {
			t.Errorf("roster %s: status %d, want %q:\n%s%s", step.args, status, step.want, out, errs)
		}
	}
}

// STORE-27: a database made from the printed SQL validates, the program's own columns included.
func TestMigrateSQL(t *testing.T) {
	file := filepath.Join(t.TempDir(), "roster.db")
	status, script, errs := command(t, "", "migrate", "sql", "--database=sqlite:"+file)
	if status != 0 {
		t.Fatalf("print the migrations: %s", errs)
	}
	db := rostertest.Open(t, rostertest.SQLite)
	if _, err := db.ExecContext(t.Context(), script); err != nil {
		t.Fatalf("run the script: %v", err)
	}
	var path string
	if err := db.GetContext(t.Context(), &path, "SELECT file FROM pragma_database_list WHERE name = 'main'"); err != nil {
		t.Fatal(err)
	}
	if status, _, errs := command(t, "", "migrate", "validate", "--database=sqlite:"+path); status != 0 {
		t.Errorf("validate: %s", errs)
	}
}

func TestServeRefusesWhatIsWeak(t *testing.T) {
	database := "--database=sqlite:" + filepath.Join(t.TempDir(), "roster.db")
	status, _, errs := command(t, "", "serve", database)
	for _, want := range []string{"--base-url is missing", "--smtp is missing", "--secrets is missing"} {
		if status != 1 || !strings.Contains(errs, want) {
			t.Errorf("serve without anything: status %d, want 1 and %q in:\n%s", status, want, errs)
		}
	}
	status, _, errs = command(t, "", "serve", database, "--base-url=http://example.com", "--secrets=k1:c2VjcmV0", "--smtp=smtp://x")
	for _, want := range []string{"--base-url: want https", "at least 32 are needed", "--smtp: "} {
		if status != 1 || !strings.Contains(errs, want) {
			t.Errorf("serve with what is weak: status %d, want 1 and %q in:\n%s", status, want, errs)
		}
	}
	for _, addr := range []string{"0.0.0.0:8080", ":8080", "[::]:8080", "192.0.2.1:8080", "example.com:8080"} {
		if status, _, errs = command(t, "", "serve", "--dev", database, "--addr="+addr); status != 1 || !strings.Contains(errs, "--dev is for this machine") {
			t.Errorf("serve --dev on %s: status %d:\n%s", addr, status, errs)
		}
	}
	config := filepath.Join(t.TempDir(), "roster.json")
	if err := os.WriteFile(config, []byte(`{"session":{"acces_ttl":"5m"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, errs = command(t, "", "serve", "--dev", database, "--config="+config); status != 1 || !strings.Contains(errs, "acces_ttl") {
		t.Errorf("serve with an unknown setting: status %d:\n%s", status, errs)
	}
}

// The settings that docs/operating.md shows are taken.
func TestSettingsOfTheDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```json\n")
	settings, _, _ := strings.Cut(rest, "```")
	config := filepath.Join(t.TempDir(), "roster.json")
	if err := os.WriteFile(config, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := readFile(config)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := file.routes(terminal{})
	if err != nil || len(cfg.AllowIPs) != 1 || !cfg.RequireReason || cfg.Limits["register"] != 5 || cfg.IPExtractor == nil {
		t.Errorf("settings of routes: %+v, %v", cfg, err)
	}
	if cfg.Tokens != routes.TransportChoose || cfg.CookieName != "example" || len(cfg.Origins) != 1 || len(cfg.CORSOrigins) != 1 || len(cfg.ClearSiteData) != 2 {
		t.Errorf("settings of browsers: %+v", cfg)
	}
	if repo := file.repo(); repo.Audit.Keep != 9600*time.Hour || repo.Notify.Links.ResetPassword != "/account/reset" {
		t.Errorf("settings of the repo: %+v", repo)
	}
	// SESS-80
	profiles := file.repo().Session.Profiles
	want := mixins.SessionProfile{
		Superusers: true, AccessTTL: 2 * time.Minute, RefreshIdle: time.Hour, RefreshAbsolute: 8 * time.Hour, FreshFor: 5 * time.Minute,
	}
	if kiosk := profiles["kiosk"]; len(profiles) != 2 || !reflect.DeepEqual(profiles["superusers"], want) ||
		!slices.Equal(kiosk.Clients, []string{"kiosk"}) || kiosk.RefreshIdle != 20*time.Minute {
		t.Errorf("profiles of sessions: %+v", profiles)
	}
	address, _ := serve(t, "--dev", "--config="+config, "--database=sqlite:"+filepath.Join(t.TempDir(), "roster.db"))
	if got := rostertest.Call(t, http.MethodGet, "http://"+address+"/healthz", "", ""); got.Status != http.StatusOK {
		t.Errorf("serving with them: %+v", got)
	}
}

// HTTP-43, HTTP-47, HTTP-55: what is wrong with the settings of browsers refuses to start; a list that is empty is not one that
// is left out.
func TestSettingsOfBrowsers(t *testing.T) {
	write := func(text string) string {
		file := filepath.Join(t.TempDir(), "roster.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for text, isNil := range map[string]bool{`{"routes":{"clear_site_data":[]}}`: false, `{"routes":{}}`: true} {
		file, err := readFile(write(text))
		if err != nil {
			t.Fatal(err)
		}
		if cfg, err := file.routes(terminal{}); err != nil || (cfg.ClearSiteData == nil) != isNil || len(cfg.ClearSiteData) > 0 {
			t.Errorf("%s: %#v, %v", text, cfg.ClearSiteData, err)
		}
	}
	config := write(`{"routes":{"tokens":"cookies","cookie_name":"a b","origins":["https://www.example.com/"],"cors_origins":["*"],"clear_site_data":["all"]}}`)
	status, _, errs := command(t, "", "serve", "--dev", "--addr=127.0.0.1:0", "--config="+config, "--database=sqlite:"+filepath.Join(t.TempDir(), "roster.db"))
	for _, want := range []string{"Tokens", "CookieName", "Origins", "CORSOrigins", "ClearSiteData"} {
		if status != 1 || !strings.Contains(errs, want) {
			t.Errorf("status %d, want 1 and %q in:\n%s", status, want, errs)
		}
	}
	config = write(`{"routes":{"tokens":"cookie"}}`)
	address, _ := serve(t, "--dev", "--config="+config, "--database=sqlite:"+filepath.Join(t.TempDir(), "roster.db"))
	site := "http://" + strings.Replace(address, "127.0.0.1", "localhost", 1)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, site+"/api/register", strings.NewReader(`{"username":"anna","password":"correct horse battery"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Origin", site)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var names []string
	for _, c := range answer.Cookies() {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	if want := []string{"roster_access", "roster_csrf", "roster_device", "roster_refresh"}; answer.StatusCode != http.StatusCreated || !slices.Equal(names, want) {
		t.Errorf("register answers %d with cookies %v, want %v", answer.StatusCode, names, want)
	}
}

// docs/operating.md has a row for every kind of message, with its channels and whether it can be switched off.
func TestKindsOfTheDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		for name := range strings.SplitSeq(cells[min(1, len(cells)-1)], "·") {
			rows[strings.Trim(name, " `")] = cells
		}
	}
	for _, kind := range notify.Kinds() {
		row := rows[kind]
		if len(row) != 6 {
			t.Errorf("there is no row of %s: %q", kind, row)
			continue
		}
		off := "yes"
		switch {
		case notify.CarriesSecret(kind):
			off = "no"
		case notify.Optional(kind):
			off = "off by default"
		}
		if got := strings.TrimSpace(row[4]); got != off {
			t.Errorf("%s can be switched off: %q, want %q", kind, got, off)
		}
		for channel, word := range map[notify.Channel]string{notify.Email: "mail", notify.SMS: "SMS"} {
			if notify.GoesBy(kind, channel) && !strings.Contains(row[2], word) {
				t.Errorf("%s goes by %s, but not in %q", kind, word, row[2])
			}
		}
	}
}

func TestCreateSuperuser(t *testing.T) {
	database := "--database=sqlite:" + filepath.Join(t.TempDir(), "roster.db")
	command(t, "", "migrate", "up", database)
	args := []string{"user", "create-superuser", "--dev", "--email=ann@example.com", "--password-stdin", database}
	if status, out, errs := command(t, "correct horse battery\n", args...); status != 0 || len(strings.TrimSpace(out)) != 36 {
		t.Errorf("create: status %d: %s%s", status, out, errs)
	}
	if status, _, errs := command(t, "correct horse battery\n", args...); status != 1 || !strings.Contains(errs, "email:taken") {
		t.Errorf("create again: status %d: %s", status, errs)
	}
	// In earnest it wants the secrets, and nothing that only serving needs.
	_, secret, _ := command(t, "", "secret")
	args = []string{"user", "create-superuser", "--email=bob@example.com", "--password-stdin", database}
	if status, _, errs := command(t, "correct horse battery\n", args...); status != 1 || !strings.HasPrefix(strings.TrimSpace(errs), "roster: --secrets is missing") {
		t.Errorf("create without secrets: status %d: %s", status, errs)
	}
	args = append(args, "--secrets="+strings.TrimSpace(secret))
	if status, _, errs := command(t, "correct horse battery\n", args...); status != 1 || !strings.Contains(errs, "key") {
		t.Errorf("create with other secrets than those of the database: status %d: %s", status, errs)
	}
	if status, _, errs := command(t, "short\n", append(args[:4:4], database, "--dev")...); status != 1 || !strings.Contains(errs, "password:too_short") {
		t.Errorf("create with a short password: status %d: %s", status, errs)
	}
}

// serve starts the server and returns its address and what it has printed; it is stopped at the end of the test.
func serve(t *testing.T, args ...string) (address string, printed func() string) {
	t.Helper()
	address = freeAddress()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var out, errs output
	done := make(chan int)
	go func() {
		done <- run(ctx, append([]string{"serve", "--addr=" + address}, args...), strings.NewReader(""), &out, &errs)
	}()
	t.Cleanup(func() {
		cancel()
		if status := <-done; status != 0 {
			t.Errorf("the server ended with status %d:\n%s", status, errs.String())
		}
	})
	if !answers(address) {
		t.Fatalf("the server does not answer:\n%s", errs.String())
	}
	return address, out.String
}

func freeAddress() string { return fmt.Sprintf("127.0.0.1:%d", servers.FreePort()) }

// answers waits until a server does, which takes long on a slow machine.
func answers(address string) bool {
	for began := time.Now(); time.Since(began) < 20*time.Second; {
		response, err := http.Get("http://" + address + "/readyz") //nolint:noctx // it is tried until the server answers
		if err == nil {
			_ = response.Body.Close()
			return true
		}
		time.Sleep(50 * time.Millisecond)
	}
	return false
}

// output is a buffer that may be read while it is written.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// The program of the README compiles.
func TestReadmeProgram(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, program, _ := strings.Cut(string(readme), "```go\n")
	program, _, _ = strings.Cut(program, "```")
	file := filepath.Join(t.TempDir(), "main.go")
	const imports = `package main

import (
	"context"
	"errors"
	"log"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/routes"
	"github.com/roster-go/roster/store"
	"github.com/roster-go/roster/usersrepo"
)

`
	if err := os.WriteFile(file, []byte(imports+program), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", os.DevNull, file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// The sessions of the README and of the page on accounts work as they are printed there.
func TestReadme(t *testing.T) {
	for file, wants := range map[string][]string{
		"README.md": {
			`"display_name":"Ann of Green Gables"`, `"email_verified":true`, `"username":"anne"`, `"plan":"pro"`, `"deleted":null`,
			`"reason":"spam"`, `"message":"We moved`,
		},
		"docs/accounts.md": {`"verified":true`, `"fresh_until":`, `"unarchiving":true`, `"status":"accepted"`},
	} {
		t.Run(file, func(t *testing.T) {
			dir := t.TempDir()
			address, printed := serve(t, "--dev", "--database=sqlite:"+filepath.Join(dir, "roster.db"))
			password := regexp.MustCompile(`password: +(\S+)`).FindStringSubmatch(printed())
			if password == nil {
				t.Fatalf("no password was printed: %q", printed())
			}
			script := strings.ReplaceAll(strings.Join(blocks(t, file, "sh"), "\n"), "localhost:8080", address)
			script = regexp.MustCompile(`ADMIN_PASSWORD=.*`).ReplaceAllString(script, "ADMIN_PASSWORD="+password[1])
			shell := exec.CommandContext(t.Context(), "bash", "-c", "set -eu\n"+script)
			shell.Dir = dir
			got, err := shell.CombinedOutput()
			if err != nil {
				t.Fatalf("%v:\n%s", err, got)
			}
			for _, want := range wants {
				if !strings.Contains(string(got), want) {
					t.Errorf("%s is not in the output:\n%s", want, got)
				}
			}
		})
	}
}

// blocks are the code of a language in a document.
func blocks(t *testing.T, file, language string) (list []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", file))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(text), "```"+language+"\n")[1:] {
		code, _, _ := strings.Cut(part, "```")
		list = append(list, code)
	}
	return list
}

// What the page on accounts prints in Go compiles.
func TestAccountsInGo(t *testing.T) {
	program := `package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/usersrepo"
)

var (
	ctx      context.Context
	id       roster.ID
	cfg      usersrepo.Config
	accounts *usersrepo.UsersRepo[*roster.User]
	_        = []any{bytes.Equal, errors.Is, fmt.Println}
)

func bind(string, string) bool { return false }
func main()                    {}
`
	for i, code := range blocks(t, "docs/accounts.md", "go") {
		program += fmt.Sprintf("\nfunc snippet%d() error {\n%s\nreturn nil\n}\n", i, code)
	}
	file := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", os.DevNull, file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestServe(t *testing.T) {
	address, _ := serve(t, "--dev", "--database=sqlite:"+filepath.Join(t.TempDir(), "roster.db"))
	for path, want := range map[string]string{"/healthz": "ok\n", "/readyz": "ready\n", "/dev/mailbox": "[]\n"} {
		if got := rostertest.Call(t, http.MethodGet, "http://"+address+path, "", ""); got.Status != http.StatusOK || got.Body != want {
			t.Errorf("GET %s: %+v, want %q", path, got, want)
		}
	}
	if got := askAs(t, "evil.example", address, "/dev/mailbox"); got != http.StatusForbidden {
		t.Errorf("mailbox by another name: status %d", got)
	}
	if got := rostertest.Call(t, http.MethodGet, fmt.Sprintf("http://%s/api/me", address), "", ""); got.Status != http.StatusUnauthorized {
		t.Errorf("GET /api/me without a token: %+v", got)
	}
}

// askAs asks an address for a path under the name of a host and returns the status.
func askAs(t *testing.T, host, address, path string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// HTTP-68: a line tells what was asked for, and nothing of who asked.
func TestAccessLog(t *testing.T) {
	var log bytes.Buffer
	e := echo.New()
	e.Use(accessLog(slog.New(slog.NewJSONHandler(&log, nil))))
	e.POST("/api/users/:id", func(c echo.Context) error {
		c.Response().Header().Set(echo.HeaderXRequestID, "r-1")
		return c.NoContent(http.StatusAccepted)
	})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/users/4711?email=ann@example.com", strings.NewReader(`{"password":"secret"}`))
	r.Header.Set("Authorization", "Bearer hidden")
	r.Header.Set("User-Agent", "agent-1")
	r.RemoteAddr = "192.0.2.7:1234"
	e.ServeHTTP(httptest.NewRecorder(), r)
	var line map[string]any
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	names := slices.Sorted(maps.Keys(line))
	if want := []string{"duration", "level", "method", "msg", "request_id", "route", "status", "time"}; !slices.Equal(names, want) {
		t.Errorf("the line has %v, want %v", names, want)
	}
	if line["route"] != "/api/users/:id" || line["method"] != "POST" || line["status"] != 202.0 || line["request_id"] != "r-1" {
		t.Errorf("%s", log.String())
	}
}

func TestLogLevel(t *testing.T) {
	for _, level := range []string{"verbose", "", "info+1", "trace"} {
		status, _, errs := command(t, "", "secret", "--log-level="+level)
		if status != exitUsage || !strings.Contains(errs, "want debug, info, warn or error") {
			t.Errorf("--log-level=%q: status %d: %s", level, status, errs)
		}
	}
	for level, want := range map[string]bool{"info": true, "WARN": false} {
		ctx, stop := context.WithCancel(t.Context())
		var errs output
		done := make(chan int)
		address := freeAddress()
		go func() {
			done <- run(ctx, []string{
				"serve", "--addr=" + address, "--dev", "--database=sqlite:" + filepath.Join(t.TempDir(), "roster.db"), "--log-level=" + level,
			}, strings.NewReader(""), io.Discard, &errs)
		}()
		if !answers(address) {
			t.Errorf("%s: the server does not answer:\n%s", level, errs.String())
		}
		stop()
		<-done
		if got := strings.Contains(errs.String(), "msg=request"); got != want {
			t.Errorf("%s: a line for a request: %t, want %t", level, got, want)
		}
	}
}

// Every setting of the routes that a file can hold can be set by it, and comes to them.
func TestFileSetsRoutes(t *testing.T) {
	var f fileConfig
	from := reflect.ValueOf(&f.Routes).Elem()
	for i := range from.NumField() {
		switch v := from.Field(i); v.Kind() {
		case reflect.Bool:
			v.SetBool(true)
		case reflect.Int64:
			v.SetInt(7)
		case reflect.String:
			v.SetString("x")
		case reflect.Slice:
			v.Set(reflect.ValueOf([]string{"127.0.0.0/8"}))
		case reflect.Map:
			if list, ok := reflect.TypeAssert[*map[string][]roster.Secret](v.Addr()); ok {
				*list = map[string][]roster.Secret{"orders": {"secret"}}
				continue
			}
			v.Set(reflect.ValueOf(map[string]int{"me": 1}))
		default:
			t.Fatalf("%s is a %s", from.Type().Field(i).Name, v.Kind())
		}
	}
	cfg, err := f.routes(terminal{logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	to := reflect.ValueOf(cfg)
	for i := range to.NumField() {
		name := to.Type().Field(i).Name
		if slices.Contains([]string{"IPExtractor", "Replace", "Wrap", "View", "Logger"}, name) {
			continue // Go alone can say them, or they are said otherwise
		}
		if set := from.FieldByName(name); !set.IsValid() || !reflect.DeepEqual(set.Interface(), to.Field(i).Interface()) {
			t.Errorf("%s is not set by the file", name)
		}
	}
}

// Services come from the file and from the environment, and no fault of theirs tells a secret.
func TestServices(t *testing.T) {
	const first, second, third = "first-0123456789-0123456789-0123", "second+/=0123456789-0123456789-01", "third-0123456789-0123456789-0123"
	config := filepath.Join(t.TempDir(), "roster.json")
	if err := os.WriteFile(config, []byte(`{"routes":{"services":{"orders":["`+first+`"]}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(servicesVariable, "orders="+second+"; bills="+third)
	address, _ := serve(t, "--dev", "--config="+config, "--database=sqlite:"+filepath.Join(t.TempDir(), "roster.db"))
	for name, secret := range map[string]string{"orders": first, "orders ": second, "bills": third} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/api/token/introspect", strings.NewReader("token=x"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth(strings.TrimSpace(name), secret)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK || string(text) != `{"active":false}` {
			t.Errorf("%s: %d %s %v", name, response.StatusCode, text, err)
		}
	}
	for _, text := range []string{"orders", "=" + first, "orders=short-one", "a b=" + third} {
		t.Setenv(servicesVariable, text)
		status, _, errs := command(t, "", "serve", "--dev", "--addr=127.0.0.1:0", "--database=sqlite:"+filepath.Join(t.TempDir(), "roster.db"))
		if status != 1 || strings.Contains(errs, "0123") || strings.Contains(errs, "short-one") {
			t.Errorf("%q: %d %s", text, status, errs)
		}
	}
}
