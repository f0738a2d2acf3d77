package usersrepo

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/cache"
	"github.com/roster-go/roster/identifiers"
	"github.com/roster-go/roster/mixins"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/passwords"
	"github.com/roster-go/roster/secrets"
	"github.com/roster-go/roster/store"
)

// initTimeout bounds what Init asks of the database.
const initTimeout = time.Minute

// Init makes a program's own value ready: it checks the configuration, the hooks, the database and the user struct,
// and tells all that is wrong at once. From then on app's own methods are what runs.
func Init[U roster.Model, A Embedder[U]](app A, cfg Config) error {
	v := reflect.ValueOf(app)
	if v.Kind() == reflect.Pointer && v.IsNil() {
		return errors.New("usersrepo: Init of a nil pointer")
	}
	r := app.base()
	if r == nil {
		return fmt.Errorf("usersrepo: %T embeds a nil *UsersRepo: embed UsersRepo by value", app)
	}
	return r.init(app, cfg, false)
}

// New returns a repo without overrides.
func New[U roster.Model](cfg Config) (*UsersRepo[U], error) {
	r := &UsersRepo[U]{}
	if err := r.init(r, cfg, true); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *UsersRepo[U]) init(self mixins.Self[U], cfg Config, plain bool) error {
	if r.core != nil {
		return roster.ErrAlreadyInitialized
	}
	cfg = cfg.withDefaults()
	plan, planErr := mixins.NewPlan[U]()
	parts, partsErr := newParts(cfg, plan)
	if err := errors.Join(checkMethods(self, cfg.AllowMethods), checkModel(reflect.TypeFor[U](), cfg.AllowMethods), planErr, cfg.check(), partsErr); err != nil {
		return fmt.Errorf("usersrepo: %w", err)
	}
	parts.Plain = plain
	ctx, cancel := context.WithTimeout(context.Background(), initTimeout)
	defer cancel()
	var core *mixins.Core[U]
	var err error
	parts.Store, err = openStore(ctx, cfg, plan, store.CommitHooks{
		Timeout: parts.Settings.Callbacks.OnTimeout,
		Report:  func(ctx context.Context, err error) { core.ReportCommit(ctx, err) },
		Revoked: func(ctx context.Context) { core.Revoked(ctx) },
	})
	if err != nil {
		return fmt.Errorf("usersrepo: %w", err)
	}
	if core, err = mixins.NewCore(ctx, self, &r.On, parts); err != nil {
		return errors.Join(fmt.Errorf("usersrepo: %w", err), parts.Store.Close())
	}
	r.CRUD = mixins.NewCRUD(core)
	r.Protection = mixins.NewProtection(core)
	r.Confirm = mixins.NewConfirm(core)
	r.Username = mixins.NewUsername(core)
	r.Password = mixins.NewPassword(core)
	r.OneTime = mixins.NewOneTime(core)
	r.Management = mixins.NewManagement(core)
	r.Account = mixins.NewAccount(core)
	r.Session = mixins.NewSession(core)
	r.Administration = mixins.NewAdministration(core)
	r.Transfer = mixins.NewTransfer(core)
	r.core = core
	return nil
}

// newParts makes the pieces that need no database, and returns all faults of their settings.
func newParts[U roster.Model](cfg Config, plan *mixins.Plan[U]) (mixins.Parts[U], error) {
	p := mixins.Parts[U]{Settings: cfg.settings(), Plan: plan, Cache: cfg.Cache, Now: cfg.Now, Logger: cfg.Logger}
	// These two are used at once; the check of the configuration tells of them.
	if typedNil(cfg.Password.Hasher) {
		cfg.Password.Hasher = nil
	}
	if typedNil(cfg.Notify.Templates) {
		cfg.Notify.Templates = nil
	}
	var errs [5]error
	if len(cfg.Secrets) > 0 { // else the check of the configuration tells
		p.Secrets, errs[0] = secrets.New(cfg.Secrets)
	}
	if typedNil(cfg.Password.Breached) {
		cfg.Password.Breached = nil
	}
	if cfg.Product != "" {
		cfg.Password.ContextWords = append(slices.Clip(cfg.Password.ContextWords), cfg.Product)
	}
	p.Passwords, errs[1] = passwords.New(cfg.Password.Config)
	p.Identifiers, errs[2] = identifiers.New(identifiers.Config{
		Username: cfg.Username.UsernameConfig, Email: cfg.Email, Phone: cfg.Phone,
	})
	if plan != nil {
		p.Templates, errs[3] = notify.NewTemplates(cfg.Notify.Templates, notify.Data{User: plan.New(), Vars: cfg.Notify.Vars})
	}
	p.Keys, errs[4] = cfg.signingKeys()
	if p.Cache == nil {
		p.Cache = cache.NewMemory(cache.MemoryConfig{Now: cfg.Now})
	}
	return p, errors.Join(errs[:]...)
}

// openStore judges the program's handle and the tables behind it.
func openStore[U roster.Model](ctx context.Context, cfg Config, plan *mixins.Plan[U], hooks store.CommitHooks) (*store.Store, error) {
	dialect, err := store.Probe(ctx, cfg.DB)
	if err != nil {
		return nil, err
	}
	migrator, err := store.NewMigrator(cfg.DB, dialect, cfg.Store, cfg.Now)
	if err != nil {
		return nil, err
	}
	if cfg.AutoMigrate {
		if _, err := migrator.Up(ctx); err != nil {
			return nil, err
		}
	}
	if err := migrator.Validate(ctx); err != nil {
		return nil, err
	}
	s, err := store.New(cfg.DB, dialect, cfg.Store, plan.Columns(), hooks)
	if err != nil {
		return nil, err
	}
	if cfg.AutoMigrate {
		err = s.AddColumns(ctx)
	}
	if err == nil {
		err = s.Check(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}
