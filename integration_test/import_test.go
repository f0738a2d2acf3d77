package integration_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/rostertest"
)

// linesOf are the lines of a file of JSON objects.
func linesOf(lines ...string) iter.Seq2[roster.ImportLine, error] {
	return func(yield func(roster.ImportLine, error) bool) {
		for i, line := range lines {
			if !yield(roster.ImportLine{Number: i + 1, Document: json.RawMessage(line)}, nil) {
				return
			}
		}
	}
}

// importing imports lines, and returns the report with each failure as line:field:code.
func (w *world) importing(t testing.TB, ctx context.Context, o roster.ImportOptions, lines ...string) (counts [5]int, failed []string) {
	t.Helper()
	r, err := w.ImportUsers(ctx, linesOf(lines...), o)
	if err != nil {
		t.Fatalf("import: %v", err)
	}
	return outcome(r)
}

func outcome(r roster.ImportReport) (counts [5]int, failed []string) {
	for _, f := range r.Failed {
		for _, e := range f.Errors {
			failed = append(failed, fmt.Sprintf("%d:%s", f.Line, e))
		}
	}
	return [...]int{r.Created, r.Updated, r.Unchanged, r.Skipped, r.FailedTotal}, failed
}

const (
	annID  = "01890000-0000-7000-8000-000000000001"
	bobID  = "01890000-0000-7000-8000-000000000002"
	bcrypt = "$2a$10$Nqs04sU7/sLB.7s6UpW3HuaTK8ZbRBFSW1EWDgTZS37AkUS/gHP1S"
	django = "pbkdf2_sha256$260000$rosterTestSalt$IRf1XAHUW62JexAkcgM9I20RAjr49FB6Acx3Giai+oE="
)

// Three good lines and two bad ones.
var mixed = []string{
	`{"id":"` + annID + `","username":"ann","email":"Ann@Example.com","email_verified":true,"company":"Acme","created_at":"2019-03-01T12:00:00.123456Z"}`,
	`{"id":"` + bobID + `","username":"bob","email":"bob","nick":null}`,
	`{"username":"carl","password_hash":"` + django + `","plan":"pro","permissions":["reports:read"]}`,
	`{"username":"dora","password":"secret"}`,
	`{"id":"01890000-0000-7000-8000-000000000005","email":"eve@example.com"}`,
}

// ADMIN-72, ADMIN-73, case 26 of admin.
func TestImportReport(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		bad := []string{"2:email:invalid", "4:password:forbidden_field"}
		before := w.tables(t)
		counts, failed := w.importing(t, t.Context(), roster.ImportOptions{DryRun: true}, mixed...)
		same(t, [5]int{3, 0, 0, 0, 2}, counts)
		same(t, bad, failed)
		same(t, before, w.tables(t))
		same(t, 1, w.rows(t, "roster_audit"))
		counts, failed = w.importing(t, t.Context(), roster.ImportOptions{}, mixed...)
		same(t, [5]int{3, 0, 0, 0, 2}, counts)
		same(t, bad, failed)
		ann := must(w.GetByUsername(t.Context(), "ann"))(t)
		same(t, annID, ann.ID.String())
		same(t, time.Date(2019, 3, 1, 12, 0, 0, 123456000, time.UTC), ann.CreatedAt)
		same(t, w.Clock.Now().UTC(), *ann.EmailVerifiedAt)
		same(t, roster.Permissions{"reports:read"}, must(w.GetByUsername(t.Context(), "carl"))(t).Permissions)
		for _, o := range []roster.ImportOptions{{}, {DryRun: true}, {OnConflict: roster.ConflictSkips}, {OnConflict: roster.ConflictUpdates}} {
			counts, failed = w.importing(t, t.Context(), o, mixed...)
			same(t, [5]int{0, 0, 3, 0, 2}, counts)
			same(t, bad, failed)
		}
	})
}

// ADMIN-73: of two lines about one user the second fails, and the dry run says so too.
func TestImportTwice(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		lines := []string{
			`{"username":"ann","email":"ann@example.com"}`,
			`{"username":"Ann","email":"other@example.com"}`,
			`{"id":"` + bobID + `","username":"bob"}`,
			`{"id":"` + bobID + `","username":"bert"}`,
			`{"email":"ANN@example.com","username":"bob"}`,
			`{"username":"ann","email":"ann@example.com"}`,
		}
		want := []string{"2:username:taken", "4:id:taken", "5:email:taken", "5:username:taken", "6:email:taken", "6:username:taken"}
		for _, o := range []roster.ImportOptions{{DryRun: true}, {}} {
			counts, failed := w.importing(t, t.Context(), o, lines...)
			same(t, [5]int{2, 0, 0, 0, 4}, counts)
			same(t, want, failed)
		}
		r := must(w.ImportUsers(t.Context(), linesOf(lines...), roster.ImportOptions{}))(t)
		same(t, any(1), r.Failed[0].Errors[0].Params["line"])
		same(t, 2, r.Unchanged)
	})
}

// What somebody who is there already comes to.
func TestImportConflict(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		ann := w.add(t, person("ann", "ann@example.com", ""), roster.WithPermissions("a"), roster.WithPassword(passphrase), roster.WithEmailVerified())
		w.add(t, person("bob", "bob@example.com", ""))
		changed := `{"username":"ann","company":"Acme"}`
		counts, failed := w.importing(t, t.Context(), roster.ImportOptions{}, changed)
		same(t, [5]int{0, 0, 0, 0, 1}, counts)
		same(t, []string{"1:username:taken"}, failed)
		counts, _ = w.importing(t, t.Context(), roster.ImportOptions{OnConflict: roster.ConflictSkips}, changed)
		same(t, [5]int{0, 0, 0, 1, 0}, counts)
		update := roster.ImportOptions{OnConflict: roster.ConflictUpdates}
		dry := update
		dry.DryRun = true
		counts, _ = w.importing(t, t.Context(), dry, changed)
		same(t, [5]int{0, 1, 0, 0, 0}, counts)
		same(t, "", w.read(t, ann.ID).Company)
		counts, _ = w.importing(t, t.Context(), update, changed)
		same(t, [5]int{0, 1, 0, 0, 0}, counts)
		same(t, "Acme", w.read(t, ann.ID).Company)
		hash := w.hash(t, ann.ID)
		id := ann.ID.String()
		counts, _ = w.importing(t, t.Context(), update,
			`{"id":"`+id+`","username":"ann","email_verified":false,"created_at":"2001-01-01T00:00:00Z","password_hash":"`+bcrypt+`"}`)
		same(t, [5]int{0, 0, 1, 0, 0}, counts)
		same(t, hash, w.hash(t, ann.ID))
		for line, want := range map[string][]string{
			`{"id":"` + id + `","superuser":true}`:                           {"1:superuser:forbidden_field"},
			`{"id":"` + id + `","permissions":["a","b"]}`:                    {"1:permissions:forbidden_field"},
			`{"id":"` + id + `","email":"bob@example.com"}`:                  {"1:email:taken"},
			`{"id":"` + id + `","banned":{"at":"2020-01-01T00:00:00.000Z"}}`: {"1:banned:forbidden_field"},
			`{"id":"` + id + `","badge":"gold"}`:                             {"1:badge:forbidden_field"},
			`{"id":"` + id + `","email":"nonsense"}`:                         {"1:email:invalid"},
			`{"username":"ann","email":"bob@example.com"}`:                   {"1:email:taken"},
		} {
			_, failed = w.importing(t, t.Context(), update, line)
			same(t, want, failed)
		}
		if err := w.Delete(t.Context(), ann.ID, roster.Anonymise); err != nil {
			t.Fatal(err)
		}
		_, failed = w.importing(t, t.Context(), update, `{"id":"`+id+`","username":"back"}`)
		same(t, []string{"1:id:taken"}, failed)
	})
}

// ADMIN-74, PASS-38, PASS-39, case 26 of account, cases 27 and 28 of admin.
func TestImportHashes(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		for name, encoded := range map[string]string{"django": django, "bcrypt": bcrypt} {
			counts, failed := w.importing(t, t.Context(), roster.ImportOptions{}, fmt.Sprintf(`{"username":%q,"password_hash":%q}`, name, encoded))
			same(t, [5]int{1, 0, 0, 0, 0}, counts)
			same(t, nil, failed)
			u := must(w.GetByUsername(t.Context(), name))(t)
			same(t, encoded, w.hash(t, u.ID))
			pair := w.issue(t, u.ID)
			fired := len(w.fired())
			must(w.Authenticate(t.Context(), roster.PasswordCredentials(name, passphrase)))(t)
			if hash := w.hash(t, u.ID); hash == encoded || !strings.HasPrefix(hash, "$") {
				t.Errorf("after a log-in the hash is %.20s", hash)
			}
			w.alive(t, pair)
			if events := w.fired(); slices.ContainsFunc(events[min(fired, len(events)):], func(e string) bool { return strings.Contains(e, "PasswordChange") }) {
				t.Errorf("events: %v", events)
			}
		}
		for _, encoded := range []string{
			"$argon2id$v=19$m=4194304,t=2,p=1$cm9zdGVyLXRlc3Qtc2FsdA$zxsGjGa8CXKc3mFvhjS8Q3dDDbeGZjI2Grs6kasoaCE",
			"md5$x$5f4dcc3b5aa765d61d8327deb882cf99", "$2b$31$Nqs04sU7/sLB.7s6UpW3HuaTK8ZbRBFSW1EWDgTZS37AkUS/gHP1S", "plain",
		} {
			_, failed := w.importing(t, t.Context(), roster.ImportOptions{}, fmt.Sprintf(`{"username":"hard","password_hash":%q}`, encoded))
			same(t, []string{"1:password:invalid_hash"}, failed)
		}
		counts, _ := w.importing(t, t.Context(), roster.ImportOptions{}, `{"username":"none","password_hash":"!xyz"}`)
		same(t, [5]int{1, 0, 0, 0, 0}, counts)
		same(t, 0, w.rows(t, "roster_passwords WHERE user_id = $1", must(w.GetByUsername(t.Context(), "none"))(t).ID))
	})
}

// ADMIN-75, MGMT-9: nobody gives what they lack, or gets at somebody who may do more.
func TestImportRights(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		root := w.add(t, person("root1", "root@example.com", ""), roster.WithSuperuser(true))
		above := w.add(t, person("above", "above@example.com", ""), roster.WithPermissions("audit:read"))
		plain := w.add(t, person("plain", "plain@example.com", ""))
		importer := w.add(t, person("porter", "porter@example.com", ""), roster.WithPermissions(roster.PermissionImport, roster.PermissionUpdateUsers))
		ctx := roster.WithActor(t.Context(), roster.Actor{Kind: roster.ActorAdmin, ID: importer.ID})
		_, failed := w.importing(t, ctx, roster.ImportOptions{},
			`{"username":"evil","superuser":true}`, `{"username":"evil","permissions":["audit:read"]}`, `{"username":"good","permissions":["import:run"]}`)
		same(t, []string{"1:superuser:not_held", "2:permissions:not_held"}, failed)
		same(t, 3, w.rows(t, "users WHERE username_canonical IN ('evil', 'good', 'plain', 'porter')"))
		update := roster.ImportOptions{OnConflict: roster.ConflictUpdates}
		before := w.table(t, "users")
		_, failed = w.importing(t, ctx, update,
			fmt.Sprintf(`{"id":%q,"email":"evil@example.com"}`, root.ID), fmt.Sprintf(`{"id":%q,"company":"x"}`, root.ID),
			fmt.Sprintf(`{"id":%q,"email":"evil@example.com"}`, above.ID), fmt.Sprintf(`{"id":%q,"email":"evil@example.com"}`, importer.ID))
		same(t, []string{"1::forbidden", "2::forbidden", "3::forbidden", "4:email:forbidden_field"}, failed)
		same(t, before, w.table(t, "users"))
		counts, _ := w.importing(t, ctx, update, fmt.Sprintf(`{"id":%q,"email":"new@example.com"}`, plain.ID))
		same(t, [5]int{0, 1, 0, 0, 0}, counts)
		must(w.SetPermissions(t.Context(), importer.ID, []string{roster.PermissionImport}))(t)
		if _, err := w.ImportUsers(ctx, linesOf(`{}`), update); !errors.Is(err, roster.ErrForbidden) {
			t.Errorf("to change users with import:run alone: %v", err)
		}
		lines := func(yield func(roster.ImportLine, error) bool) {
			for i := range 600 {
				if i == 550 {
					must(w.SetPermissions(t.Context(), importer.ID, nil))(t)
				}
				if !yield(roster.ImportLine{Number: i, Document: fmt.Appendf(nil, `{"username":"late%d"}`, i)}, nil) {
					return
				}
			}
		}
		if _, err := w.ImportUsers(ctx, lines, roster.ImportOptions{}); !errors.Is(err, roster.ErrForbidden) {
			t.Errorf("after the permission was taken away: %v", err)
		}
		same(t, 500, w.rows(t, "users WHERE username_canonical LIKE 'late%'"))
	})
}

// What is stored together is as if it were stored line by line.
func TestImportTogether(t *testing.T) {
	inEach(t, func(t *testing.T, quick *world) {
		slow := found(t, rostertest.Open(t, rostertest.SQLite))
		slow.On.Create.After(func(_ context.Context, e *callbacks.Create[*Person]) error {
			if e.Via != roster.ViaImport {
				t.Errorf("via %s", e.Via)
			}
			return nil
		})
		var lines []string
		for i := range 700 {
			lines = append(lines, fmt.Sprintf(
				`{"id":"01890000-0000-7000-8000-%012d","username":"u%d","email":"U%d@example.com","company":"c%d","password_hash":%q}`, i+1, i%650, i%640, i, django))
		}
		lines[3] = `{"username":"u9"}`
		lines[77] = `{"username":"u600","superuser":true}`
		lines[400] = `{"username":"x"`
		for _, dry := range []bool{true, false, false} {
			want := must(slow.ImportUsers(t.Context(), linesOf(lines...), roster.ImportOptions{DryRun: dry}))(t)
			same(t, want, must(quick.ImportUsers(t.Context(), linesOf(lines...), roster.ImportOptions{DryRun: dry}))(t))
		}
		for _, query := range []string{
			"SELECT username_canonical || email_canonical || company || search || email || version FROM users WHERE superuser = false ORDER BY id",
			"SELECT user_id || hash FROM roster_passwords ORDER BY user_id",
		} {
			var want, got []string
			if err := errors.Join(slow.DB.Select(&want, query), quick.DB.Select(&got, query)); err != nil {
				t.Fatal(err)
			}
			same(t, want, got)
		}
	})
}

// Hooks veto lines, and see a dry run's too; the database's faults end an import.
func TestImportHooks(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		committed := 0
		w.On.Create.Before(func(_ context.Context, e *callbacks.Create[*Person]) error {
			if *e.User.Username == "vetoed" {
				return callbacks.Reject("blocked")
			}
			return nil
		})
		w.On.Create.On(func(context.Context, *callbacks.Create[*Person]) error { committed++; return nil })
		lines := []string{`{"username":"ann"}`, `{"username":"vetoed"}`, `{"username":"bob"}`}
		for i, o := range []roster.ImportOptions{{DryRun: true}, {}} {
			counts, failed := w.importing(t, t.Context(), o, lines...)
			same(t, [5]int{2, 0, 0, 0, 1}, counts)
			same(t, []string{"2::blocked"}, failed)
			same(t, 2*i, committed)
		}
	})
}

// A broken-off import tells what it did, and goes on by another.
func TestImportBrokenOff(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		broken := errors.New("the file ends")
		lines := func(yield func(roster.ImportLine, error) bool) {
			for l, err := range linesOf(mixed[:3]...) {
				yield(l, err)
			}
			yield(roster.ImportLine{}, broken)
		}
		r, err := w.ImportUsers(t.Context(), lines, roster.ImportOptions{})
		if !errors.Is(err, broken) || r.Created != 2 || r.FailedTotal != 1 {
			t.Errorf("broken off: %+v, %v", r, err)
		}
		same(t, 1, w.rows(t, "roster_audit WHERE action = 'users.import' AND result = 'failed'"))
		counts, _ := w.importing(t, t.Context(), roster.ImportOptions{}, mixed...)
		same(t, [5]int{1, 0, 2, 0, 2}, counts)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if r, err := w.ImportUsers(ctx, linesOf(`{"username":"late"}`), roster.ImportOptions{}); err == nil || r.Created != 0 {
			t.Errorf("after the caller has gone: %+v, %v", r, err)
		}
	})
}

// ADMIN-71: what users are sent that an import makes.
func TestImportSends(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		lines := []string{
			`{"username":"none"}`, `{"email":"proven@example.com","email_verified":true}`, `{"email":"open@example.com"}`,
			`{"email":"hashed@example.com","password_hash":"` + bcrypt + `"}`,
		}
		w.posted(t)
		w.importing(t, t.Context(), roster.ImportOptions{Send: roster.SendConfirm, DryRun: true}, lines...)
		same(t, nil, w.posted(t))
		w.importing(t, t.Context(), roster.ImportOptions{Send: roster.SendConfirm}, lines...)
		same(t, []string{"email_confirm to hashed@example.com", "email_confirm to open@example.com"}, w.posted(t))
		w.importing(t, t.Context(), roster.ImportOptions{Send: roster.SendPasswordSet}, `{"email":"first@example.com"}`, `{"email":"second@example.com","password_hash":"`+bcrypt+`"}`)
		same(t, []string{"password_first to first@example.com"}, w.posted(t))
	})
}

// Lines that are no users, and names that the file has otherwise.
func TestImportLines(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		o := roster.ImportOptions{Fields: map[string]string{"login": "username", "date_joined": "created_at", "junk": "", "password": "password_hash"}}
		for line, want := range map[string][]string{
			`{"login":"ann","date_joined":"2019-03-01 12:00:00.5+00","junk":[1],"password":"!"}`: nil,
			`{"login":"a1","username":"b1"}`: {"1:username:invalid"},
			`{"login":"dup","login":"dup"}`:  {"1::invalid"},
			`[]`:                             {"1::wrong_type"},
			`{"login":"bob"} x`:              {"1::invalid"},
			`{"login":"nul\u0000"}`:          {"1::invalid"},
			`{"login":"bob","id":"x","created_at":"yesterday"}`:           {"1:created_at:invalid", "1:id:invalid"},
			`{"login":"bob","id":"00000000-0000-0000-0000-000000000000"}`: {"1:id:invalid"},
			`{"login":"bob","superuser":"yes","permissions":"all"}`:       {"1:permissions:wrong_type", "1:superuser:wrong_type"},
			`{"login":"bob","email_verified":true}`:                       {"1:email:required"},
			`{"login":"bob","unknown":1,"epoch":2,"send":"none"}`:         {"1:epoch:forbidden_field", "1:send:forbidden_field", "1:unknown:unknown_field"},
			`{"login":"bob","banned":{"at":"2020-01-01T00:00:00Z"}}`:      {"1:banned:forbidden_field"},
			`{"login":"bob","badge":"gold"}`:                              {"1:badge:forbidden_field"},
			`{"login":"other","banned":null,"badge":"","version":7}`:      nil,
			`{"company":"nobody"}`:                                        {"1::required"},
		} {
			_, failed := w.importing(t, t.Context(), o, line)
			if !slices.Equal(want, failed) {
				t.Errorf("%s: %v, want %v", line, failed, want)
			}
		}
		same(t, time.Date(2019, 3, 1, 12, 0, 0, 500_000_000, time.UTC), must(w.GetByUsername(t.Context(), "ann"))(t).CreatedAt)
		refused(t, ignored(w.ImportUsers(t.Context(), linesOf(), roster.ImportOptions{OnConflict: "x", Send: "y"})),
			roster.ErrValidationFailed, "on_conflict:invalid", "send:invalid")
	})
}

func ignored[V any](_ V, err error) error { return err }
