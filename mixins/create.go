package mixins

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/passwords"
	"github.com/roster-go/roster/store"
)

// Create implements CRUDOps.
func (m CRUD[U]) Create(ctx context.Context, user U, options ...roster.CreateOption) (U, error) {
	var none U
	c := m.core
	ctx, err := c.enter(ctx, "Create")
	if err != nil {
		return none, err
	}
	if any(user) == any(none) {
		return none, roster.ErrInvalidInput.WithMessage("no user was given")
	}
	n := newcomer[U]{
		core: c, user: c.Plan.clone(user), options: roster.CreateOptionsOf(options...), joins: c.Store.InTransaction(ctx),
		concealed: concealedIn(ctx),
	}
	n.entry, _ = ctx.Value(enterKey{}).(*newEntry[U])
	if err := n.mayGrant(ctx); err != nil {
		return none, err
	}
	if err := n.prepare(ctx); err != nil {
		return none, err
	}
	if n.concealed {
		return n.storeConcealed(ctx)
	}
	done, err := n.enrolDirectly(ctx)
	if !done && err == nil {
		err = c.Store.Transact(ctx, func(ctx context.Context) error {
			if err := n.store(ctx); err != nil || n.entry == nil {
				return err
			}
			return n.entry.enter(c.withFresh(ctx, n.user), c, n.user)
		})
	}
	if !n.joins && errors.Is(err, roster.ErrIdentifierTaken) {
		// The database names one of the taken identifiers; people are told all.
		err = n.allTaken(ctx, err)
	}
	if errors.Is(err, store.ErrClosed) {
		if closed := c.closedFor(ctx, false); closed != nil {
			err = closed
		}
	}
	if err != nil {
		return none, err
	}
	return n.user, nil
}

// CreateSuperuser implements CRUDOps.
func (m CRUD[U]) CreateSuperuser(ctx context.Context, user U, options ...roster.CreateOption) (U, error) {
	var none U
	ctx, err := m.core.enter(ctx, "CreateSuperuser")
	if err != nil {
		return none, err
	}
	if err := m.core.trustedOnly(ctx); err != nil {
		return none, err
	}
	o := roster.CreateOptionsOf(options...)
	if o.Superuser != nil && !*o.Superuser {
		return none, roster.FieldErrors{{Field: "superuser", Code: roster.Invalid}}.Err()
	}
	return m.core.Self.Create(ctx, user, append(slices.Clip(options), roster.WithSuperuser(true))...)
}

// newcomer is a user on the way into the database.
type newcomer[U roster.Model] struct {
	core    *Core[U]
	user    U
	options roster.CreateOptions
	encoded string // the hash of the password; "" for none
	names   names
	joins   bool // the transaction is another's: its failure cannot be looked into
	// entry is made together with the user; nil: it is not.
	entry *newEntry[U]

	concealed bool     // nobody is told who has a contact
	taken     []string // the contacts that somebody has, of a concealed one
}

// mayGrant refuses an actor who may not create users, or would grant what they lack.
func (n *newcomer[U]) mayGrant(ctx context.Context) error {
	rights, err := n.core.judge(ctx, roster.PermissionCreateUsers, roster.ID{})
	if err != nil || rights.Superuser {
		return err
	}
	if n.options.Superuser != nil && *n.options.Superuser {
		return n.core.forbidden(ctx, roster.PermissionSuperuser, roster.ID{})
	}
	return n.core.mayHandOut(ctx, rights, roster.PermissionGrant, roster.ID{}, n.options.Permissions)
}

// prepare judges the password and hashes it: before the transaction, so that no connection waits for a hash. When no
// Before hook can mend the input, it is judged as a whole, and a faulty one costs no hash.
func (n *newcomer[U]) prepare(ctx context.Context) error {
	c, o := n.core, &n.options
	switch {
	case o.Password != nil && o.PasswordHash != nil:
		o.Faults.Add("password", roster.Invalid)
		return nil
	case o.PasswordHash != nil:
		usable, err := passwords.CheckImport(o.PasswordHash.Reveal())
		if usable {
			n.encoded = o.PasswordHash.Reveal()
		}
		return o.Faults.Collect(err)
	case o.Password == nil:
		return nil
	}
	faults := c.Passwords.CheckLimits("password", *o.Password)
	if o.Policy {
		var err error
		if faults, err = c.checkPolicy(ctx, n.user, *o.Password); err != nil {
			return err
		}
	}
	o.Faults = append(o.Faults, faults...)
	if len(o.Faults) > 0 {
		return nil
	}
	if !c.hooks.Create.HasBefore() {
		if err := n.judge(ctx, c.Plan.clone(n.user)); err != nil {
			return err
		}
	}
	encoded, err := c.Self.HashPassword(ctx, *o.Password)
	n.encoded = encoded
	return o.Faults.Collect(err)
}

// judge brings the identifiers to their stored form and tells all that is wrong with the user. What is taken is told
// by the indexes, unless there is more to tell, or another's transaction that must not fail by them.
func (n *newcomer[U]) judge(ctx context.Context, u U) error {
	faults := n.validate(ctx, u)
	if len(faults) > 0 || n.joins || n.concealed {
		if err := n.core.addTaken(ctx, u.Base().ID, n.names, n.core.holds(n.names.Username), &faults); err != nil {
			return err
		}
	}
	if n.concealed {
		faults = n.conceal(faults)
	}
	return faults.Err()
}

// validate brings the identifiers to their stored form and returns the faults that can be seen without a look-up.
func (n *newcomer[U]) validate(ctx context.Context, u U) roster.FieldErrors {
	faults := append(roster.FieldErrors(nil), n.options.Faults...)
	if n.options.Policy && n.options.Password != nil { // a hook may have given the user other names
		faults = append(faults, n.core.Passwords.CheckPolicy("password", *n.options.Password, ownerOf(u))...)
	}
	n.names = n.core.identify(ctx, u, n.core.Identifiers.Email, &faults)
	b := u.Base()
	requireIdentifier(b, &faults)
	checkPreferences(b, &faults)
	n.core.Plan.checkTexts(n.core.Plan.New(), u, &faults)
	if n.options.AllowReserved {
		faults = lift(faults, "username", roster.Reserved)
	}
	if n.options.EmailVerified && b.Email == nil {
		faults.Add("email", roster.Required)
	}
	if n.options.PhoneVerified && b.Phone == nil {
		faults.Add("phone", roster.Required)
	}
	if n.options.Invitation && b.Email == nil || n.options.Confirmation && b.Email == nil && b.Phone == nil {
		faults.Add("email", roster.Required)
	}
	checkPermissions("permissions", n.options.Permissions, &faults)
	n.core.checkKnown("permissions", n.options.Permissions, &faults)
	return faults
}

// store runs in the transaction.
func (n *newcomer[U]) store(ctx context.Context) error {
	c, o := n.core, n.options
	run := c.hooks.Create.Begin()
	e := &callbacks.Create[U]{Event: c.event(ctx), User: n.user, Via: cmp.Or(o.Via, viaOf(ctx)), Captcha: o.Captcha}
	if err := before(ctx, c, run, e); err != nil {
		return n.quietly(err)
	}
	n.user = e.User
	if err := n.settle(ctx); err != nil {
		return err
	}
	id := n.user.Base().ID
	user, names := n.disguised()
	holds := c.holds(names.Username)
	holds.Now, holds.WhileOpen = c.now(), calledBy(ctx, "Register")
	var password *store.Password
	if n.encoded != "" && c.Plain { // else the program may have its own StorePassword
		password = &store.Password{Hash: n.encoded, ChangedAt: c.now()}
	}
	if err := c.Store.InsertUser(ctx, id, c.Plan.values(user), c.derived(user, names), holds, password); err != nil {
		return err
	}
	ctx = c.withFresh(ctx, user)
	if n.encoded != "" && password == nil {
		if err := c.Self.StorePassword(ctx, id, n.encoded, roster.PasswordCreated); err != nil {
			return err
		}
	}
	stored := &callbacks.Create[U]{Event: e.Event, User: user, Via: cmp.Or(o.Via, viaOf(ctx)), Captcha: o.Captcha}
	if len(n.taken) > 0 {
		if err := c.record(ctx, stored); err != nil { // undone with the rest
			return err
		}
		return errConcealed
	}
	if err := after(ctx, c, run, stored); err != nil {
		return n.quietly(err)
	}
	if n.concealed {
		return nil // the message is sent, or another, whoever has the contact
	}
	if o.Confirmation {
		request := c.Self.RequestEmailConfirmation
		if n.user.Base().Email == nil {
			request = c.Self.RequestPhoneConfirmation
		}
		if err := request(ctx, id); err != nil {
			return err
		}
	}
	if o.Invitation {
		return c.Self.RequestPasswordSet(ctx, id)
	}
	return nil
}

// settle validates the user and gives it the status of a new one.
func (n *newcomer[U]) settle(ctx context.Context) error {
	if err := n.judge(ctx, n.user); err != nil {
		return err
	}
	n.begin()
	return nil
}

// begin gives the user the status of a new one.
func (n *newcomer[U]) begin() {
	c, o, u := n.core, n.options, n.user
	b, now := u.Base(), c.now()
	if b.ID == (roster.ID{}) {
		b.ID = c.Self.NewID()
	}
	created := roster.User{
		ID: b.ID, Username: b.Username, Email: b.Email, Phone: b.Phone, Language: b.Language, TimeZone: b.TimeZone,
		Permissions: roster.NewPermissions(append([]string{}, o.Permissions...)...), Superuser: o.Superuser != nil && *o.Superuser,
		CreatedAt: now, UpdatedAt: now, Version: 1,
	}
	if !o.CreatedAt.IsZero() {
		created.CreatedAt = o.CreatedAt
	}
	if o.EmailVerified {
		created.EmailVerifiedAt = &now
	}
	if o.PhoneVerified {
		created.PhoneVerifiedAt = &now
	}
	*b = created
	c.Plan.settle(u)
}

// allTaken tells every identifier that is taken, where the database told one.
func (n *newcomer[U]) allTaken(ctx context.Context, err error) error {
	var faults roster.FieldErrors
	if lookup := n.core.addTaken(ctx, n.user.Base().ID, n.names, n.core.holds(n.names.Username), &faults); lookup != nil || len(faults) == 0 {
		return err
	}
	return faults.Err()
}

// addTaken adds a fault for each identifier that another user than id has, or that holds keep from them.
func (c *Core[U]) addTaken(ctx context.Context, id roster.ID, n names, holds store.Holds, faults *roster.FieldErrors) error {
	if n == (names{}) {
		return nil
	}
	taken, err := c.Store.TakenIdentifiers(ctx, id, store.Identifiers(n), holds)
	for _, field := range taken {
		faults.Add(field, roster.Taken)
	}
	return err
}

// viaOf tells by which way an actor makes or takes away users.
func viaOf(ctx context.Context) roster.Via {
	switch roster.ActorFrom(ctx).Kind {
	case roster.ActorAdmin:
		return roster.ViaAdmin
	case roster.ActorCLI:
		return roster.ViaCLI
	case roster.ActorImport:
		return roster.ViaImport
	case roster.ActorUser, roster.ActorSystem:
	}
	return roster.ViaApp
}

const (
	maxPermissions    = 200
	maxAllPermissions = 4096 // bytes: an access token holds them
)

func checkPermissions(field string, names []string, faults *roster.FieldErrors) {
	size := 0
	for _, name := range names {
		size += len(name)
		switch {
		case len(name) > roster.MaxPermission:
			faults.Add(field, roster.TooLong)
		case !roster.IsPermission(name):
			faults.Add(field, roster.Invalid)
		}
	}
	if len(names) > maxPermissions || size > maxAllPermissions {
		faults.Add(field, roster.TooLong)
	}
}
