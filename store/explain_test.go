package store_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// plans are what PostgreSQL tells of each statement that it has run, those of foreign keys included.
type plans struct {
	mu   sync.Mutex
	list []plan
}

type plan struct {
	Text string   `json:"Query Text"`
	Plan planNode `json:"Plan"`
}

type planNode struct {
	Type     string     `json:"Node Type"`
	Relation string     `json:"Relation Name"`
	Index    string     `json:"Index Name"`
	Rows     float64    `json:"Actual Rows"`
	Loops    float64    `json:"Actual Loops"`
	Removed  float64    `json:"Rows Removed by Filter"`
	Rechecks float64    `json:"Rows Removed by Index Recheck"`
	Plans    []planNode `json:"Plans"`
}

func (p *plans) notice(e *pq.Error) {
	_, text, ok := strings.Cut(e.Message, "plan:\n")
	if !ok {
		return
	}
	var x plan
	if err := json.Unmarshal([]byte(text), &x); err != nil {
		x.Text = "a plan that cannot be read: " + err.Error() + "\n" + text
		x.Plan.Type = "Seq Scan"
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = append(p.list, x)
}

func (p *plans) take() []plan {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.list
	p.list = nil
	return list
}

// openPlans opens a handle of one connection that tells the plans of its statements.
func openPlans(t *testing.T, address string) (*sqlx.DB, *plans) {
	t.Helper()
	connector, err := pq.NewConnector(address)
	if err != nil {
		t.Fatal(err)
	}
	p := &plans{}
	db := sqlx.NewDb(sql.OpenDB(pq.ConnectorWithNoticeHandler(connector, p.notice)), "postgres")
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1)
	for _, text := range []string{
		"LOAD 'auto_explain'", "SET auto_explain.log_min_duration = 0", "SET auto_explain.log_format = 'json'", "SET auto_explain.log_analyze = on",
		"SET auto_explain.log_nested_statements = on", "SET auto_explain.log_level = 'notice'", "SET auto_explain.log_timing = off",
	} {
		execute(t, db, text)
	}
	return db, p
}

// most is how many rows one node of a plan may look at: a page or two, with what filters leave out on the way.
const most = 3000

// faults are the ways in which a plan is one of a scan in full.
func (n planNode) faults() []string {
	var list []string
	if n.Type == "Seq Scan" && !slices.Contains([]string{"roster_state", "roster_keys", ""}, n.Relation) {
		list = append(list, "Seq Scan on "+n.Relation)
	}
	if looked := (n.Rows + n.Removed + n.Rechecks) * n.Loops; looked > most {
		list = append(list, fmt.Sprintf("%s on %s %s looks at %.0f rows", n.Type, n.Relation, n.Index, looked))
	}
	for _, child := range n.Plans {
		list = append(list, child.faults()...)
	}
	return list
}

const crowd = 100_000

// populate fills the tables as 100,000 users would.
func populate(t *testing.T, db *sqlx.DB) {
	t.Helper()
	id := func(kind string) string { return "md5('" + kind + "' || i)::uuid" }
	at := "'2026-01-01 00:00:00+00'::timestamptz + i * interval '1 minute'"
	tx, err := db.BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(t.Context(), "SET LOCAL session_replication_role = replica"); err != nil { // foreign keys are not looked after
		t.Fatal(err)
	}
	for _, text := range []string{
		`INSERT INTO users (id, username, username_canonical, email, email_canonical, phone, permissions, superuser, created_at, updated_at,
			last_login_at, banned_at, archived_at, deleted_at, search, company, email_verified_at)
		SELECT ` + id("user") + `, CASE WHEN i % 3 > 0 THEN 'User' || i END, CASE WHEN i % 3 > 0 THEN 'user' || i END, 'U' || i || '@Example.com',
			'u' || i || '@example.com', CASE WHEN i % 5 = 0 THEN '+1' || (2000000000 + i) END,
			CASE WHEN i % 10000 = 0 THEN '["users:read"]'::jsonb ELSE '[]'::jsonb END, i % 20000 = 0, ` + at + `, ` + at + `,
			CASE WHEN i % 2 = 0 THEN ` + at + ` END, CASE WHEN i % 9000 = 0 THEN ` + at + ` END, CASE WHEN i % 9500 = 0 THEN ` + at + ` END,
			CASE WHEN i % 9900 = 0 THEN ` + at + ` END, 'user' || i || ' u' || i || '@example.com', 'Company ' || i % 5000, ` + at + `
		FROM generate_series(1, $1) AS i`,
		`INSERT INTO roster_passwords (user_id, hash, changed_at) SELECT ` + id("user") + `, 'hash', ` + at + ` FROM generate_series(1, $1) AS i`,
		`INSERT INTO roster_sessions (id, user_id, created_at, last_used_at, remember, idle_at, expires_at, ended_at, auth_time, amr, global_epoch,
			generation, secret_hash)
		SELECT ` + id("session") + `, ` + id("user") + `, ` + at + `, ` + at + `, true, '2100-01-01', '2100-01-01',
			CASE WHEN i % 2 = 0 THEN ` + at + ` END, ` + at + `, 'pwd', 0, 1, decode(md5(i::text), 'hex')
		FROM generate_series(1, $1) AS i`,
		`INSERT INTO roster_identities (provider, subject, user_id, linked_at)
		SELECT CASE WHEN i % 20000 = 0 THEN 'rare' ELSE 'common' END, 's' || i, ` + id("user") + `, ` + at + ` FROM generate_series(1, $1, 4) AS i`,
		`INSERT INTO roster_links (hash, purpose, user_id, address, created_at, expires_at)
		SELECT decode(md5(i::text), 'hex'), 'confirm_email', ` + id("user") + `, 'u' || i || '@example.com', ` + at + `, '2100-01-01'
		FROM generate_series(1, $1, 2) AS i`,
		`INSERT INTO roster_revocations (session_id, created_at) SELECT id, now() - interval '1 hour' FROM roster_sessions LIMIT $1`,
		`INSERT INTO roster_messages (id, kind, channel, user_id, recipient, language, priority, state, next_at, created_at, expires_at)
		SELECT ` + id("message") + `, 'k', 'email', ` + id("user") + `, 'u', 'en', i % 3, CASE WHEN i % 500 = 1 THEN 'pending' ELSE 'sent' END,
			` + at + `, ` + at + `, '2100-01-01'
		FROM generate_series(1, $1, 2) AS i`,
		`INSERT INTO roster_changes (id, user_id, contact, new_value, new_canonical, created_at)
		SELECT ` + id("change") + `, ` + id("user") + `, 'email', 'u', 'u', ` + at + ` FROM generate_series(1, $1, 4) AS i`,
		`INSERT INTO roster_devices (hash, user_id, created_at, last_used_at, expires_at)
		SELECT decode(md5('device' || i), 'hex'), ` + id("user") + `, ` + at + `, ` + at + `, '2100-01-01' FROM generate_series(1, $1, 2) AS i`,
		`INSERT INTO roster_lockouts (key, kind, subject, user_id, failures, since)
		SELECT 'key' || i, 'account', 's', ` + id("user") + `, 100, ` + at + ` FROM generate_series(1, $1, 4) AS i`,
		`INSERT INTO roster_tries (scope, user_id, failures, waits_at, ends_at)
		SELECT ` + id("user") + ` || '/code:verify:phone', ` + id("user") + `, 1, ` + at + `, '2100-01-01' FROM generate_series(1, $1, 4) AS i`,
		`INSERT INTO roster_otps (id, slug, hash, scope, max_attempts, created_at, expires_at, ended_at)
		SELECT ` + id("otp") + `, 'slug' || i % 3, decode(md5('otp' || i), 'hex'), '', 5, ` + at + `, '2100-01-01', CASE WHEN i % 2 = 0 THEN ` + at + ` END
		FROM generate_series(1, $1) AS i`,
		`INSERT INTO roster_otp_objects (otp_id, kind, object, user_id)
		SELECT ` + id("otp") + `, 'user', ` + id("user") + `, ` + id("user") + ` FROM generate_series(1, $1) AS i`,
		`INSERT INTO roster_otp_objects (otp_id, kind, object)
		SELECT ` + id("otp") + `, 'cart', i FROM generate_series(1, $1) AS i`,
		`INSERT INTO roster_bans (user_id, reason, note) SELECT ` + id("user") + `, '', '' FROM generate_series(1, $1, 9) AS i`,
		`INSERT INTO roster_audit (id, happened_at, actor_kind, actor_id, action, subject_id, result, code)
		SELECT ` + id("audit") + `, ` + at + `, 'admin', CASE WHEN i % 3 = 0 THEN ` + id("user") + ` END, 'user.ban', ` + id("user") + `, 'ok', ''
		FROM generate_series(1, $1) AS i`,
		`INSERT INTO roster_holds (hash, user_id, ends_at) SELECT decode(md5('hold' || i), 'hex'), ` + id("user") + `, '2100-01-01' FROM generate_series(1, $1, 5) AS i`,
	} {
		if _, err := tx.ExecContext(t.Context(), text, crowd); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	execute(t, db, "CREATE INDEX own_company ON users (company)")
	execute(t, db, `CREATE INDEX own_company_sort ON users (company COLLATE "C", id)`)
	execute(t, db, "VACUUM ANALYZE")
}

// crowded is a store with 100,000 users.
type crowded struct {
	*store.Store
	*plans
	now   time.Time
	names []string
}

func (c *crowded) userID(t *testing.T, db *sqlx.DB, i int) (id roster.ID) {
	t.Helper()
	if err := db.GetContext(t.Context(), &id, "SELECT id FROM users WHERE email_canonical = $1", fmt.Sprintf("u%d@example.com", i)); err != nil {
		t.Fatal(err)
	}
	return id
}

func (c *crowded) dest() []any {
	list := make([]any, len(c.names))
	for i := range list {
		list[i] = new(any)
	}
	return list
}

// runs asks that the plans of a statement, made eight times so that PostgreSQL may settle on one for all values, scan
// nothing in full.
func (c *crowded) runs(t *testing.T, name string, fn func(ctx context.Context, i int) error) {
	t.Helper()
	c.take()
	for i := range 8 {
		if err := fn(t.Context(), i+1); err != nil && !errors.Is(err, roster.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
			return
		}
	}
	list := c.take()
	if len(list) == 0 {
		t.Errorf("%s: no plan was told", name)
	}
	told := map[string]bool{}
	for _, p := range list {
		for _, fault := range p.Plan.faults() {
			if key := p.Text + fault; !told[key] {
				told[key] = true
				t.Errorf("%s: %s in\n%s", name, fault, p.Text)
			}
		}
	}
}

// STORE-19: at 100,000 users no statement of a request scans a table in full.
func TestPlans(t *testing.T) {
	t.Parallel()
	address := ownDatabase(t)
	plain := openAddress(t, address)
	m := newMigrator(t, plain, store.Config{})
	up(t, m)
	execute(t, plain, "ALTER TABLE users ADD COLUMN company text NOT NULL DEFAULT ''")
	began := time.Now()
	populate(t, plain)
	t.Logf("filled in %s", time.Since(began))
	db, p := openPlans(t, address)
	c := &crowded{plans: p, now: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)}
	var columns []store.Column
	for _, name := range []string{"id", "username", "email", "phone", "permissions", "superuser", "created_at", "updated_at", "version", "company"} {
		columns = append(columns, store.Column{Name: name, Field: name, Custom: name == "company"})
		c.names = append(c.names, name)
	}
	var err error
	if c.Store, err = store.New(db, store.PostgreSQL, store.Config{}, columns, store.CommitHooks{Timeout: time.Second}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	var ids []roster.ID
	for i := range 10 {
		ids = append(ids, c.userID(t, plain, 50_000+i))
	}
	c.requests(t, ids)
	c.lists(t)
	t.Run("with pg_trgm", func(t *testing.T) {
		execute(t, plain, "CREATE EXTENSION pg_trgm")
		up(t, m)
		execute(t, plain, "VACUUM ANALYZE users")
		c.lists(t)
		for _, words := range [][]string{{"user4711"}, {"4711@example"}, {"u777", "example.com"}, {uuid.NewString()}, {"nobody"}, {"ser999"}} {
			c.search(t, "words "+strings.Join(words, " "), func(q *store.Search) { q.Words = words })
		}
	})
}

// requests are the statements of all operations but lists.
func (c *crowded) requests(t *testing.T, ids []roster.ID) {
	t.Helper()
	run := func(name string, fn func(ctx context.Context, i int) error) { c.runs(t, name, fn) }
	inTx := func(name string, fn func(ctx context.Context, i int) error) {
		c.runs(t, name, func(ctx context.Context, i int) error {
			return c.InTx(ctx, func(ctx context.Context) error { return fn(ctx, i) })
		})
	}
	ignore := func(_ any, err error) error { return err }
	for key, value := range map[store.UserKey]string{store.ByUsername: "user%d", store.ByEmail: "u%d@example.com", store.ByPhone: "+1200000%d"} {
		run("GetUser by "+string(key), func(ctx context.Context, i int) error {
			return c.GetUser(ctx, key, fmt.Sprintf(value, 4000+i), c.dest())
		})
	}
	run("GetUser by id", func(ctx context.Context, i int) error { return c.GetUser(ctx, store.ByID, ids[i], c.dest()) })
	inTx("LockUser", func(ctx context.Context, i int) error { return c.LockUser(ctx, ids[i], c.dest()) })
	run("GetUserBySocial", func(ctx context.Context, i int) error {
		return c.GetUserBySocial(ctx, "common", fmt.Sprintf("s%d", 4*i+1), c.dest())
	})
	hash := func(i int) []byte { return fmt.Appendf(nil, "hash %d", i) }
	holds := func(i int) store.Holds { return store.Holds{Now: c.now, Hashes: [][]byte{hash(i), hash(i + 1)}} }
	run("TakenIdentifiers", func(ctx context.Context, i int) error {
		name := fmt.Sprintf("user%d", i)
		return ignore(c.TakenIdentifiers(ctx, ids[0], store.Identifiers{Username: &name, Email: new(name + "@example.com"), Phone: new("+1")}, holds(i)))
	})
	run("InsertUser", func(ctx context.Context, i int) error {
		id, name := mustID(t), fmt.Sprintf("new%d", i)
		values := []any{id, name, nil, nil, roster.Permissions{}, false, c.now, c.now, 1, ""}
		return c.InsertUser(ctx, id, values, store.Derived{Username: &name}, holds(i), &store.Password{Hash: "h", ChangedAt: c.now})
	})
	run("UpdateUser", func(ctx context.Context, i int) error {
		return c.UpdateUser(ctx, ids[i], []store.Assignment{{Column: "version", Value: i}, {Column: "username_canonical", Value: fmt.Sprintf("renamed%d", i)}}, holds(i))
	})
	run("TouchLastLogin", func(ctx context.Context, i int) error { return c.TouchLastLogin(ctx, ids[i], c.now, 100) })
	run("HoldUsername", func(ctx context.Context, i int) error { return c.HoldUsername(ctx, hash(i), &ids[i], c.now) })
	run("ReleaseUsername", func(ctx context.Context, i int) error { return c.ReleaseUsername(ctx, holds(i)) })
	run("OtherSuperuser", func(ctx context.Context, i int) error { return ignore(c.OtherSuperuser(ctx, ids[i], c.now)) })
	run("GetGlobalEpoch", func(ctx context.Context, _ int) error { return ignore(c.GetGlobalEpoch(ctx)) })
	inTx("LockState", func(ctx context.Context, _ int) error { return c.LockState(ctx) })
	run("ListSuperusers", func(ctx context.Context, _ int) error { return ignore(c.ListSuperusers(ctx, c.now)) })
	run("GetBlackout", func(ctx context.Context, _ int) error { return ignore(c.GetBlackout(ctx)) })
	run("SetBlackout", func(ctx context.Context, _ int) error { return c.SetBlackout(ctx, store.Blackout{SetAt: &c.now}) })
	run("DeleteBlackout", func(ctx context.Context, _ int) error { return c.DeleteBlackout(ctx) })
	run("PutBan", func(ctx context.Context, i int) error { return c.PutBan(ctx, ids[i], store.Ban{Reason: "r"}) })
	run("GetBan", func(ctx context.Context, i int) error { return ignore(c.GetBan(ctx, ids[i])) })
	run("GetSituation", func(ctx context.Context, i int) error { return ignore(c.GetSituation(ctx, ids[i], c.now)) })
	run("DeleteBan", func(ctx context.Context, i int) error { return c.DeleteBan(ctx, ids[i]) })
	run("ListBlacklist", func(ctx context.Context, i int) error {
		return ignore(c.ListBlacklist(ctx, store.BlacklistQuery{Limit: 20, Now: c.now}, c.dest))
	})
	run("InsertAudit", func(ctx context.Context, i int) error {
		return c.InsertAudit(ctx, &store.AuditEntry{ID: mustID(t), HappenedAt: c.now, Action: "a", SubjectID: &ids[i]})
	})
	for name, q := range map[string]store.AuditQuery{
		"ListAudit": {}, "ListAudit by its actor": {Actor: &ids[0]}, "ListAudit by its subject": {Subject: &ids[0]},
		"ListAudit in a time": {Since: &c.now, After: &store.Mark{At: c.now, ID: ids[0]}},
	} {
		q.Limit = 20
		run(name, func(ctx context.Context, _ int) error { return ignore(c.ListAudit(ctx, q)) })
	}
	run("GetPassword", func(ctx context.Context, i int) error { return ignore(c.GetPassword(ctx, ids[i])) })
	run("PutPassword", func(ctx context.Context, i int) error {
		return c.PutPassword(ctx, ids[i], store.Password{Hash: "new", ChangedAt: c.now})
	})
	run("SwapPassword", func(ctx context.Context, i int) error { return c.SwapPassword(ctx, ids[i], "new", "other") })

	account := func(i int) roster.SocialAccount {
		return roster.SocialAccount{Provider: "new", Subject: fmt.Sprint(i), LinkedAt: c.now}
	}
	run("InsertSocial", func(ctx context.Context, i int) error { return c.InsertSocial(ctx, ids[i], account(i)) })
	run("UpdateSocial", func(ctx context.Context, i int) error { return ignore(c.UpdateSocial(ctx, ids[i], account(i))) })
	run("ListSocial", func(ctx context.Context, i int) error { return ignore(c.ListSocial(ctx, ids[i])) })
	run("GetCredentials", func(ctx context.Context, i int) error { return ignore(c.GetCredentials(ctx, ids[i])) })
	run("DeleteSocial", func(ctx context.Context, i int) error { return c.DeleteSocial(ctx, ids[i], "new", fmt.Sprint(i)) })

	sessions := make([]store.Session, len(ids))
	run("InsertSession", func(ctx context.Context, i int) error {
		sessions[i] = store.Session{
			ID: mustID(t), UserID: ids[i], CreatedAt: c.now, LastUsedAt: c.now, IdleAt: c.now.Add(time.Hour), ExpiresAt: c.now.Add(time.Hour),
			AuthTime: c.now, Generation: 1, SecretHash: hash(i),
		}
		_, _, err := c.InsertSession(ctx, &sessions[i], store.Admission{
			Most: 2, Device: store.Device{Fresh: hash(i + 100), ExpiresAt: c.now.Add(time.Hour), Most: 10},
			Touch: &store.Touch{CloseAfter: 100},
		})
		return err
	})
	run("GetEntrant and EnterSession", func(ctx context.Context, i int) error {
		e, err := c.GetEntrant(ctx, store.ByID, ids[i], c.dest())
		if err != nil {
			return err
		}
		x := store.Session{
			ID: mustID(t), UserID: ids[i], CreatedAt: c.now, LastUsedAt: c.now, IdleAt: c.now.Add(time.Hour), ExpiresAt: c.now.Add(time.Hour),
			AuthTime: c.now, Generation: 1, SecretHash: hash(i + 200),
		}
		done, err := c.EnterSession(ctx, &x, store.DirectEntry{
			Admission: store.Admission{
				Most: 100, Device: store.Device{Fresh: hash(i + 200), ExpiresAt: c.now.Add(time.Hour), Most: 10}, Touch: &store.Touch{CloseAfter: 100},
			},
			Version: e.Version,
		})
		if err == nil && !done {
			err = errors.New("nothing was done")
		}
		return err
	})
	run("EnrolUser", func(ctx context.Context, i int) error {
		id, name := mustID(t), fmt.Sprintf("enrolled%d", i)
		x := store.Session{
			ID: mustID(t), UserID: id, CreatedAt: c.now, LastUsedAt: c.now, IdleAt: c.now.Add(time.Hour), ExpiresAt: c.now.Add(time.Hour),
			AuthTime: c.now, Generation: 1, SecretHash: hash(i + 400),
		}
		done, err := c.EnrolUser(ctx, &x, store.Enrolment{
			Values:  []any{id, name, nil, nil, roster.Permissions{}, false, c.now, c.now, 1, ""},
			Derived: store.Derived{Username: &name}, Holds: holds(i), Password: store.Password{Hash: "h", ChangedAt: c.now},
			Link:      &store.Link{Hash: hash(i + 400), Purpose: store.ConfirmEmail, UserID: id, CreatedAt: c.now, ExpiresAt: c.now},
			Admission: store.Admission{Most: 1, Device: store.Device{Fresh: hash(i + 400), ExpiresAt: c.now.Add(time.Hour), Most: 10}},
		})
		if err == nil && !done {
			err = errors.New("nothing was done")
		}
		return err
	})
	run("GetSession", func(ctx context.Context, i int) error { return ignore(c.GetSession(ctx, sessions[i].ID)) })
	inTx("LockSession", func(ctx context.Context, i int) error { return ignore(c.LockSession(ctx, sessions[i].ID)) })
	run("ListSessions", func(ctx context.Context, i int) error { return ignore(c.ListSessions(ctx, ids[i], c.now)) })
	known, err := c.ReadRevocations(t.Context(), store.Place{}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	run("ReadRevocations", func(ctx context.Context, _ int) error {
		return ignore(c.ReadRevocations(ctx, known.Place, time.Minute))
	})
	run("GetRights", func(ctx context.Context, i int) error {
		_, _, err := c.GetRights(ctx, ids[i], sessions[i].ID, c.now)
		return err
	})
	run("RotateSession", func(ctx context.Context, i int) error {
		return ignore(c.RotateSession(ctx, store.Rotation{
			SessionID: sessions[i].ID, Current: hash(i), Next: hash(100 + i), Now: c.now, IdleAt: c.now.Add(time.Hour), ShortIdleAt: c.now.Add(time.Hour),
			Verified: true,
		}, c.dest()))
	})
	run("EndSession", func(ctx context.Context, i int) error {
		return ignore(c.EndSession(ctx, sessions[i].ID, c.now, roster.RevokedByLogout))
	})
	run("EndSessions", func(ctx context.Context, i int) error {
		return ignore(c.EndSessions(ctx, ids[i], sessions[i].ID, c.now, roster.RevokedAll))
	})

	message := func(i int) *store.Message {
		return &store.Message{
			ID: mustID(t), Kind: "k", Channel: "email", UserID: &ids[i], DedupeKey: new(fmt.Sprintf("key %d", i)), CreatedAt: c.now, ExpiresAt: c.now.Add(time.Hour),
		}
	}
	run("QueueMessage", func(ctx context.Context, i int) error { _, err := c.QueueMessage(ctx, message(i)); return err })
	run("QueueLink", func(ctx context.Context, i int) error {
		m := message(i)
		m.DedupeKey, m.LinkHash = nil, hash(i)
		return c.QueueLink(ctx, store.Link{
			Hash: hash(i), Purpose: store.ConfirmEmail, UserID: ids[i], Address: "a", CreatedAt: c.now, ExpiresAt: c.now.Add(time.Hour),
		}, m)
	})
	run("GetLink", func(ctx context.Context, i int) error { return ignore(c.GetLink(ctx, store.ConfirmEmail, hash(i))) })
	run("LinkIsLive", func(ctx context.Context, i int) error { return ignore(c.LinkIsLive(ctx, hash(i), c.now)) })
	run("UseLink", func(ctx context.Context, i int) error {
		return ignore(c.UseLink(ctx, store.ConfirmEmail, hash(i+4), c.now))
	})
	verify := store.CodeFor("verify", "phone")
	run("LiveCode", func(ctx context.Context, i int) error {
		_, err := c.LiveCode(ctx, ids[i], verify, 5, c.now)
		return err
	})
	run("TryCode", func(ctx context.Context, i int) error { return ignore(c.TryCode(ctx, hash(i), 5, c.now)) })
	run("TakeTry", func(ctx context.Context, i int) error {
		return ignore(c.TakeTry(ctx, store.CodeScope(ids[i], verify), c.now))
	})
	run("ForgetTries", func(ctx context.Context, i int) error { return c.ForgetTries(ctx, store.CodeScope(ids[i], verify)) })
	otps := func(i int, hashes ...[]byte) store.OTPQuery {
		user := roster.OTPObject{Kind: "user", ID: ids[i].String()}
		return store.OTPQuery{Slug: "slug1", Objects: []roster.OTPObject{user, {Kind: "cart", ID: "7"}}, Hashes: hashes, Limit: 100, Now: c.now}
	}
	otp := func(i int) store.OTP {
		return store.OTP{ID: mustID(t), Slug: "slug1", Hash: hash(i), Scope: hash(i), MaxAttempts: 5, CreatedAt: c.now, ExpiresAt: c.now.Add(time.Hour)}
	}
	run("InsertOTP", func(ctx context.Context, i int) error {
		return ignore(c.InsertOTP(ctx, otp(i), otps(i).Objects, [][]byte{hash(i), hash(i + 100)}))
	})
	run("FindOTPs", func(ctx context.Context, i int) error { return ignore(c.FindOTPs(ctx, otps(i))) })
	run("FindOTPs by key", func(ctx context.Context, i int) error {
		return ignore(c.FindOTPs(ctx, store.OTPQuery{Slug: "slug1", Hashes: [][]byte{hash(i), hash(i + 1)}, Now: c.now}))
	})
	run("FindOTPs by key and objects", func(ctx context.Context, i int) error { return ignore(c.FindOTPs(ctx, otps(i, hash(i), hash(i+1)))) })
	run("FindOTPs, the newest", func(ctx context.Context, _ int) error {
		return ignore(c.FindOTPs(ctx, store.OTPQuery{Slug: "slug1", Limit: 1, Now: c.now}))
	})
	run("OTPObjects", func(ctx context.Context, i int) error { return ignore(c.OTPObjects(ctx, ids[i])) })
	run("Guess", func(ctx context.Context, i int) error {
		_, _, err := c.Guess(ctx, store.Guess{
			Scope: store.TryScope{Key: fmt.Sprint("otp-scope/", i)}, Entries: map[roster.ID]int{ids[i]: 5, ids[i+1]: 5}, Keep: time.Hour, Now: c.now,
		}, func([]roster.ID) bool { return false })
		return err
	})
	run("ForgetGuesses", func(ctx context.Context, i int) error {
		return c.ForgetGuesses(ctx, store.TryScope{Key: fmt.Sprint("otp-scope/", i)})
	})
	run("ExtendOTP", func(ctx context.Context, i int) error { return ignore(c.ExtendOTP(ctx, ids[i], c.now, c.now)) })
	run("UseOTP", func(ctx context.Context, i int) error { return ignore(c.UseOTP(ctx, ids[i], c.now)) })
	run("EndOTPs", func(ctx context.Context, i int) error { return ignore(c.EndOTPs(ctx, otps(i))) })
	run("EndOTPs by key", func(ctx context.Context, i int) error {
		return ignore(c.EndOTPs(ctx, store.OTPQuery{Slug: "slug1", Hashes: [][]byte{hash(i), hash(i + 1)}, Now: c.now}))
	})
	run("PendingChanges", func(ctx context.Context, i int) error { return ignore(c.PendingChanges(ctx, ids[i], "email")) })
	run("LaterChanges", func(ctx context.Context, i int) error { return ignore(c.LaterChanges(ctx, ids[i], c.now)) })
	run("VoidChangeLinks", func(ctx context.Context, i int) error { return c.VoidChangeLinks(ctx, ids[i], ids[i], "", c.now) })
	run("VoidLinks", func(ctx context.Context, i int) error { return c.VoidLinks(ctx, ids[i], "", c.now, store.ConfirmEmail) })
	run("QueueNothing", func(ctx context.Context, i int) error {
		m := message(i)
		m.DedupeKey = nil
		return c.QueueNothing(ctx, m)
	})
	run("GetBacklog", func(ctx context.Context, _ int) error { return ignore(c.GetBacklog(ctx)) })
	run("ListMessages", func(ctx context.Context, i int) error {
		return ignore(c.ListMessages(ctx, store.OutboxQuery{UserID: &ids[i], Limit: 20}))
	})
	run("ReviveMessage", func(ctx context.Context, i int) error {
		m := message(i)
		m.DedupeKey = nil
		return errors.Join(c.QueueNothing(ctx, m), ignore(c.ReviveMessage(ctx, m.ID, c.now)))
	})
	run("CancelMessages", func(ctx context.Context, i int) error { return c.CancelMessages(ctx, ids[i]) })
	worker := ids[9]
	var claimed []store.Message
	run("ClaimMessages", func(ctx context.Context, _ int) (err error) {
		claimed, err = c.ClaimMessages(ctx, worker, 20, c.now, c.now.Add(time.Minute))
		if err == nil && len(claimed) != 20 {
			err = fmt.Errorf("claimed %d", len(claimed))
		}
		return err
	})
	run("FinishMessage", func(ctx context.Context, i int) error {
		return c.FinishMessage(ctx, claimed[i].ID, worker, store.MessageSent, c.now, "")
	})
	run("ReturnMessage", func(ctx context.Context, i int) error {
		return c.ReturnMessage(ctx, claimed[i+8].ID, roster.ID{}, c.now)
	})
	run("RetryMessage", func(ctx context.Context, i int) error {
		return c.RetryMessage(ctx, claimed[i+8].ID, worker, c.now, "later")
	})
	run("WalkUsers", func(ctx context.Context, i int) error { return c.WalkUsers(ctx, ids[i], c.dest) })
	run("SetSearch", func(ctx context.Context, i int) error { return ignore(c.SetSearch(ctx, ids[i], 1, "other")) })
	inTx("ForgetUser", func(ctx context.Context, i int) error { return c.ForgetUser(ctx, ids[i]) })
	inTx("RemoveUser", func(ctx context.Context, i int) error { return c.RemoveUser(ctx, ids[i]) })
}

func (c *crowded) search(t *testing.T, name string, change func(*store.Search)) {
	t.Helper()
	q := store.Search{
		Conditions: []store.Condition{fact("deleted", false)}, Limit: 50, Now: c.now,
		Order: []store.OrderKey{{Operand: store.Operand{Name: "created_at", Kind: store.TimeColumn, Exact: true}, Descending: true}},
	}
	change(&q)
	c.runs(t, name, func(ctx context.Context, _ int) error {
		_, _, err := c.SearchUsers(ctx, q, c.dest)
		return err
	})
}

func fact(name string, value bool) store.Condition {
	return store.Condition{Operand: store.Operand{Name: name, Kind: store.BoolColumn, Exact: true}, Op: roster.Eq, Values: []any{value}}
}

// lists are the searches that need no search for parts of words.
func (c *crowded) lists(t *testing.T) {
	t.Helper()
	where := func(name string, kind store.ColumnKind, op roster.Op, value any) func(*store.Search) {
		return func(q *store.Search) {
			o := store.Operand{Name: name, Kind: kind, Exact: name != "company"}
			q.Conditions = append(q.Conditions, store.Condition{Operand: o, Op: op, Values: []any{value}})
		}
	}
	text := store.TextColumn
	middle := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	for name, change := range map[string]func(*store.Search){
		"the first page":   func(*store.Search) {},
		"a page of 200":    func(q *store.Search) { q.Limit = 200 },
		"an odd page":      func(q *store.Search) { q.Limit = 37 },
		"the oldest first": func(q *store.Search) { q.Order[0].Descending = false },
		"e-mail prefix":    where("email_canonical", text, roster.StartsWith, "u4711"),
		"username prefix":  where("username_canonical", text, roster.StartsWith, "user4711"),
		"phone prefix":     where("phone", text, roster.StartsWith, "+120000471"),
		"e-mail":           where("email_canonical", text, roster.Eq, "u4711@example.com"),
		"username":         where("username_canonical", text, roster.Eq, "user4711"),
		"phone":            where("phone", text, roster.Eq, "+12000004710"),
		"id":               where("id", store.IDColumn, roster.Eq, uuid.New()),
		"own column":       where("company", text, roster.Eq, "Company 7"),
		"created after":    where("created_at", store.TimeColumn, roster.Gt, middle),
		"updated before":   where("updated_at", store.TimeColumn, roster.Lt, time.Date(2026, 1, 1, 5, 0, 0, 0, time.UTC)),
		"superusers":       where("superuser", store.BoolColumn, roster.Eq, true),
		"permission":       where("permission", text, roster.Eq, "users:read"),
		"provider":         where("provider", text, roster.Eq, "rare"),
		"banned":           func(q *store.Search) { q.Conditions = append(q.Conditions, fact("banned", true)) },
		"archived":         func(q *store.Search) { q.Conditions = append(q.Conditions, fact("archived", true)) },
		"deleted":          func(q *store.Search) { q.Conditions = []store.Condition{fact("deleted", true)} },
		"verified":         func(q *store.Search) { q.Conditions = append(q.Conditions, fact("email_verified", true)) },
		"with a password":  func(q *store.Search) { q.Conditions = append(q.Conditions, fact("has_password", true)) },
	} {
		c.search(t, name, change)
	}
	for _, key := range []store.OrderKey{
		{Operand: store.Operand{Name: "created_at", Kind: store.TimeColumn, Exact: true}},
		{Operand: store.Operand{Name: "updated_at", Kind: store.TimeColumn, Exact: true}},
		{Operand: store.Operand{Name: "username_canonical", Kind: text, Exact: true}, Nullable: true},
		{Operand: store.Operand{Name: "email_canonical", Kind: text, Exact: true}, Nullable: true},
		{Operand: store.Operand{Name: "company", Kind: text}},
	} {
		var deep any = middle
		if key.Operand.Kind == text {
			deep = map[string]any{"username_canonical": "user5", "email_canonical": "u5", "company": "Company 3"}[key.Operand.Name]
		}
		for _, descending := range []bool{false, true} {
			key.Descending = descending
			for page, after := range map[string][]any{"first": nil, "deep": {deep, uuid.New()}} {
				c.search(t, fmt.Sprintf("%s page by %s, descending %t", page, key.Operand.Name, descending), func(q *store.Search) {
					q.Order, q.After = []store.OrderKey{key}, after
				})
			}
			if key.Nullable {
				c.search(t, fmt.Sprintf("those without %s, descending %t", key.Operand.Name, descending), func(q *store.Search) {
					q.Order, q.After = []store.OrderKey{key}, []any{nil, uuid.New()}
				})
			}
		}
	}
}
