package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/pressly/goose/v3"
)

// Migrator brings the tables of a repo up to date, and takes them back.
type Migrator struct {
	db       *sqlx.DB
	dialect  Dialect
	names    names
	files    []migration
	versions *versions
}

// Migration is one step of the schema.
type Migration struct {
	Version   int64
	Name      string
	AppliedAt time.Time // zero: pending
}

// NewMigrator returns the migrator of the tables that cfg names, on a handle that Probe has judged.
func NewMigrator(db *sqlx.DB, dialect Dialect, cfg Config, now func() time.Time) (*Migrator, error) {
	n, err := newNames(dialect, cfg.withDefaults(), nil)
	if err != nil {
		return nil, err
	}
	files, err := readMigrations(dialect, n)
	if err != nil {
		return nil, err
	}
	return &Migrator{db, dialect, n, files, &versions{dialect, n, files, now}}, nil
}

// Up applies what is pending and returns the versions that it applied. Nodes that start together wait for each other,
// and each migration is applied once. It needs a direct connection, not a pooler in transaction mode.
func (m *Migrator) Up(ctx context.Context) ([]int64, error) {
	p, err := m.provider(false)
	if err != nil {
		return nil, err
	}
	results, err := p.Up(ctx)
	var done []int64
	for _, r := range results {
		done = append(done, r.Source.Version)
	}
	if err != nil {
		return done, fmt.Errorf("migrate up: %w", err)
	}
	if m.dialect == PostgreSQL {
		if _, err := m.db.ExecContext(ctx, m.searchIndex()); err != nil {
			return done, fmt.Errorf("migrate up: index for searching: %w", err)
		}
	}
	return done, nil
}

// searchIndex makes it fast to search for parts of words where the extension pg_trgm is installed. It is not a
// migration, because the extension may come later: each Up looks again. The lock is there because IF NOT EXISTS does not
// keep two nodes from making it at once. The planner guesses from a sample of the column how many rows have a word: from
// the usual hundred, one hit by chance makes a rare word look like one in a hundred users, and not worth the index.
const searchIndex = `
DO $$
DECLARE place text;
BEGIN
	PERFORM pg_advisory_xact_lock($lock);
	SELECT n.nspname INTO place FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_trgm';
	IF place IS NOT NULL THEN
		EXECUTE format('CREATE INDEX IF NOT EXISTS {users.search_idx} ON {users} USING gin (search %I.gin_trgm_ops)', place);
		PERFORM 1 FROM pg_attribute WHERE attrelid = '{users}'::regclass AND attname = 'search' AND coalesce(attstattarget, -1) < 0;
		IF FOUND THEN
			ALTER TABLE {users} ALTER COLUMN search SET STATISTICS 1000;
		END IF;
	END IF;
END $$;
`

func (m *Migrator) searchIndex() string {
	return strings.ReplaceAll(m.names.fill(searchIndex), "$lock", strconv.FormatInt(m.lockNumber(), 10))
}

// Down takes back the last steps migrations and returns their versions. The table of users stays, whatever is taken
// back, unless dropUsers.
func (m *Migrator) Down(ctx context.Context, steps int, dropUsers bool) ([]int64, error) {
	p, err := m.provider(dropUsers)
	if err != nil {
		return nil, err
	}
	var done []int64
	for range steps {
		result, err := p.Down(ctx)
		if errors.Is(err, goose.ErrNoNextVersion) {
			return done, nil
		}
		if err != nil {
			return done, fmt.Errorf("migrate down: %w", err)
		}
		done = append(done, result.Source.Version)
	}
	return done, nil
}

// Status lists all migrations, oldest first.
func (m *Migrator) Status(ctx context.Context) ([]Migration, error) {
	applied, err := m.versions.applied(ctx, m.db)
	if err != nil {
		return nil, err
	}
	list := make([]Migration, 0, len(m.files))
	for _, f := range m.files {
		list = append(list, Migration{f.version, f.name, applied[f.version].at})
	}
	return list, nil
}

// Validate compares what was applied with what this release holds and returns nil when all of it was, unchanged. One
// migration more than this release knows is fine, so that nodes can be upgraded one after the other.
func (m *Migrator) Validate(ctx context.Context) error {
	applied, err := m.versions.applied(ctx, m.db)
	if err != nil {
		return err
	}
	var faults []error
	var pending []string
	for _, f := range m.files {
		a, ok := applied[f.version]
		switch {
		case !ok:
			pending = append(pending, f.name)
		case a.sum != f.sum:
			faults = append(faults, fmt.Errorf("migration %s is not what was applied: restore its file, or take it back and apply it anew", f.name))
		}
		delete(applied, f.version)
	}
	if len(pending) > 0 {
		faults = append(faults, fmt.Errorf("migrations are pending (%s): run \"roster migrate up\", with --no-columns if the program has fields of its own, or store.Migrator.Up", strings.Join(pending, ", ")))
	}
	if len(applied) > 1 {
		faults = append(faults, fmt.Errorf("the schema is %d migrations newer than this release: upgrade the program, or run \"roster migrate down %d\" with the newer one", len(applied), len(applied)))
	}
	return errors.Join(faults...)
}

// SQL prints the migrations after the version from, up to to (0: all), as plain SQL for a team's own tool; a database
// made by it validates.
func (m *Migrator) SQL(from, to int64) string {
	var b strings.Builder
	if from == 0 {
		b.WriteString(m.names.fill(versionsTable[m.dialect]) + ";\n\n")
		b.WriteString(m.versions.literalInsert(0, "") + "\n")
	}
	for _, f := range m.files {
		if f.version > from && (to == 0 || f.version <= to) {
			fmt.Fprintf(&b, "\n-- %s\n%s\n%s\n", f.name, f.up, m.versions.literalInsert(f.version, f.sum))
		}
	}
	if m.dialect == PostgreSQL {
		b.WriteString(m.searchIndex())
	}
	return b.String()
}

func (m *Migrator) provider(dropUsers bool) (*goose.Provider, error) {
	options := []goose.ProviderOption{
		goose.WithStore(m.versions), goose.WithDisableGlobalRegistry(true), goose.WithSessionLocker(m.lock()),
	}
	p, err := goose.NewProvider("", m.db.DB, renderedFolder{m.files, dropUsers}, options...)
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	return p, nil
}
