package usersrepo

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/cache"
	"github.com/roster-go/roster/identifiers"
	"github.com/roster-go/roster/mixins"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/secrets"
	"github.com/roster-go/roster/store"
	"github.com/roster-go/roster/tokens"
)

// Config is what a program decides about its repo. DB, BaseURL and Secrets are needed, and a sender of mails unless
// nothing is to be confirmed; Development supplies all of these but DB. Every other zero value is safe.
type Config struct {
	// DB is the program's own handle, on PostgreSQL 14 or SQLite, best opened by store.Open. Roster closes nothing of it.
	DB *sqlx.DB
	// Store names the tables, and says whether a pooler stands before the database.
	Store store.Config
	// AutoMigrate applies pending migrations and adds the struct's missing columns at Init: for demonstrations and
	// tests. Programs in earnest run "roster migrate up --no-columns" and migrations of their own.
	AutoMigrate bool
	// Cache counts and limits; nil: in the memory of this process. Several nodes need a shared one. It may be a
	// cache.SoonDeleter too.
	Cache cache.Cache

	// BaseURL is where people reach the program, with https; the links in mails begin with it.
	BaseURL string
	// Product is what mails call the program; "" means "Roster".
	Product string
	// Secrets are the master keys: the first for new values, the others for reading older ones. All nodes share them.
	Secrets []secrets.Secret
	// Keys are signing keys of the program's own, exactly one of them active, made by tokens.FromPEM or tokens.FromSecret;
	// none: Roster makes them, and keeps them in the database, sealed. All nodes need the same. A retired one whose RetiredAt
	// is set verifies until the last token has ended, and else as long as it is listed. RotateKeys and RevokeKey are then
	// roster.ErrConflict.
	Keys []tokens.Key

	// What the components do. Each type names its defaults; invalid values are errors of Init, all told at once.
	Account    mixins.AccountConfig
	Session    mixins.SessionConfig
	Username   mixins.UsernameConfig
	Email      identifiers.EmailConfig
	Phone      identifiers.PhoneConfig
	Confirm    mixins.ConfirmConfig
	Password   mixins.PasswordConfig
	OneTime    mixins.OneTimeConfig
	Protection mixins.ProtectionConfig
	Notify     mixins.NotifyConfig
	Callbacks  mixins.CallbacksConfig
	Management mixins.ManagementConfig
	Audit      mixins.AuditConfig

	// AllowMethods are methods of the program's type that look like hooks and are none.
	AllowMethods []string
	// Development is for a program on localhost: plain http, mails and SMS into the log, and a known secret where none is given.
	Development bool
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Logger is told what nobody else is, such as errors of On hooks; nil: silent, in Development slog.Default.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now //nolint:forbidigo // the one place where the clock of the machine comes in
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
		if c.Development {
			c.Logger = slog.Default()
		}
	}
	if !c.Development {
		return c
	}
	c.BaseURL = cmp.Or(c.BaseURL, "http://localhost:8080")
	if len(c.Secrets) == 0 {
		// The same at every start, so that the keys sealed under it can be read again. Anybody can know it.
		key := sha256.Sum256([]byte("Roster, development on localhost"))
		c.Secrets = []secrets.Secret{{ID: "development", Key: key[:]}}
	}
	if c.Notify.Mail == nil {
		c.Notify.Mail = notify.NewLog(c.Logger)
	}
	if c.Notify.SMS == nil {
		c.Notify.SMS = notify.NewLog(c.Logger)
	}
	return c
}

func (c Config) settings() mixins.Settings {
	return mixins.Settings{
		BaseURL: c.BaseURL, Development: c.Development, Product: c.Product,
		Account: c.Account, Session: c.Session, Username: c.Username, Email: c.Email, Phone: c.Phone, Confirm: c.Confirm,
		Password: c.Password, OneTime: c.OneTime, Protection: c.Protection, Notify: c.Notify, Callbacks: c.Callbacks,
		Management: c.Management, Audit: c.Audit,
	}.WithDefaults()
}

// check returns all faults of a configuration that package parts do not judge themselves.
func (c Config) check() error {
	s := c.settings()
	errs := []error{c.checkBaseURL()}
	fault := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	fault(c.DB == nil, "DB is missing")
	fault(len(c.Secrets) == 0, `Secrets are missing: secrets.ParseSecrets reads what "roster secret" prints`)
	mails := !c.Confirm.NoneOnRegister || c.Account.PasswordlessRegistration
	fault(c.Notify.Mail == nil && mails, "Notify.Mail is missing: registrations are confirmed by mail, unless Confirm.NoneOnRegister")
	for _, part := range []struct {
		name  string
		value any
	}{
		{"Cache", c.Cache},
		{"Notify.Mail", c.Notify.Mail},
		{"Notify.SMS", c.Notify.SMS},
		{"Notify.Templates", c.Notify.Templates},
		{"Password.Hasher", c.Password.Hasher},
		{"Password.Breached", c.Password.Breached},
	} {
		fault(typedNil(part.value), "%s is a nil %T", part.name, part.value)
	}
	between := func(name string, d, least, most time.Duration) {
		fault(d < least || d > most, "%s is %s: want %s to %s", name, d, least, most)
	}
	for _, kind := range s.Account.LoginFields {
		known := kind == identifiers.KindUsername || kind == identifiers.KindEmail || kind == identifiers.KindPhone
		fault(!known, "Account.LoginFields: %q is no kind of identifier", kind)
	}
	for i, b := range s.Account.Backends {
		fault(b == nil || typedNil(b), "Account.Backends: number %d is nil", i+1)
	}
	switch s.Account.CloseMode {
	case roster.Deactivate, roster.Anonymise, roster.Remove:
	default:
		fault(true, "Account.CloseMode is %q: want deactivate, anonymise or remove", s.Account.CloseMode)
	}
	fault(s.Account.ConcealRegistration && !s.Account.RequireConfirmed,
		"Account.ConcealRegistration needs Account.RequireConfirmed: else who is logged in tells that an address was free")
	x := s.Session
	switch x.Algorithm {
	case tokens.ES256, tokens.EdDSA, tokens.RS256, tokens.HS256:
	default:
		fault(true, "Session.Algorithm is %q: want ES256, EdDSA, RS256 or HS256", x.Algorithm)
	}
	between("Session.AccessTTL", x.AccessTTL, time.Minute, time.Hour)
	between("Session.RefreshIdle", x.RefreshIdle, time.Minute, x.RefreshAbsolute)
	between("Session.ShortIdle", x.ShortIdle, time.Minute, x.RefreshAbsolute)
	between("Session.FreshFor", x.FreshFor, time.Second, x.RefreshAbsolute)
	between("Session.Leeway", x.Leeway, 0, time.Minute)
	between("Session.PollInterval", x.PollInterval, time.Second, time.Minute)
	between("Session.MaxStaleness", x.MaxStaleness, time.Second, time.Minute)
	fault(x.PollInterval >= x.MaxStaleness, "Session.PollInterval is %s: want less than Session.MaxStaleness, %s", x.PollInterval, x.MaxStaleness)
	fault(x.Grace > time.Minute, "Session.Grace is %s: want at most 1m", x.Grace)
	fault(x.OnLimit != mixins.EvictOldest && x.OnLimit != mixins.RefuseNew, "Session.OnLimit is %q: want evict or refuse", x.OnLimit)
	fault(x.MaxPerUser < 1, "Session.MaxPerUser is %d: want 1 or more", x.MaxPerUser)
	if x.KeyLife > 0 {
		between("Session.KeyLife", x.KeyLife, time.Hour, 10*365*24*time.Hour)
	}
	errs = append(errs, profileFaults(x)...)
	between("Session.Keep", x.Keep, time.Hour, 100*365*24*time.Hour)
	between("Confirm.EmailTTL", s.Confirm.EmailTTL, time.Minute, 30*24*time.Hour)
	between("Confirm.ChangeTTL", s.Confirm.ChangeTTL, time.Minute, 24*time.Hour)
	fault(s.Confirm.RevertWindow > 30*24*time.Hour, "Confirm.RevertWindow is %s: want at most 720h", s.Confirm.RevertWindow)
	for name, digits := range map[string]int{"EmailDigits": s.OneTime.EmailDigits, "PhoneDigits": s.OneTime.PhoneDigits} {
		fault(digits < 6 || digits > 10, "OneTime.%s is %d: want 6 to 10", name, digits)
	}
	fault(!isAlphabet(s.OneTime.EmailAlphabet), "OneTime.EmailAlphabet: want different letters and digits, of ASCII")
	fault(math.Pow(float64(len(s.OneTime.EmailAlphabet)), float64(s.OneTime.EmailDigits)) < 1e6,
		"OneTime.EmailAlphabet: %d of its characters make less than a million codes", s.OneTime.EmailDigits)
	for _, kind := range s.OneTime.Off {
		known := slices.Contains([]roster.CodePurpose{roster.CodeVerify, roster.CodeLogin, roster.CodeReset, roster.CodeStepUp}, kind.Purpose)
		fault(!known || kind.Channel != roster.ChannelEmail && kind.Channel != roster.ChannelPhone,
			"OneTime.Off: there are no codes for %q by %q", kind.Purpose, kind.Channel)
	}
	between("OneTime.CodeTTL", s.OneTime.CodeTTL, time.Minute, 10*time.Minute)
	between("OneTime.MaxLife", s.OneTime.MaxLife, time.Second, 30*24*time.Hour)
	between("OneTime.Expiration", s.OneTime.Expiration, time.Second, s.OneTime.MaxLife)
	between("OneTime.Retention", s.OneTime.Retention, 0, 100*365*24*time.Hour)
	between("Password.FirstTTL", s.Password.FirstTTL, time.Minute, 30*24*time.Hour)
	between("Password.ResetTTL", s.Password.ResetTTL, time.Minute, 24*time.Hour)
	reset := s.Password.ResetForUnverified
	fault(reset != mixins.SendActivation && reset != mixins.SendReset, "Password.ResetForUnverified is %q: want activation or reset", reset)
	n := s.Notify
	between("Notify.Poll", n.Poll, 10*time.Millisecond, time.Hour)
	between("Notify.SendTimeout", n.SendTimeout, time.Second, time.Hour)
	between("Notify.Lease", n.Lease, n.SendTimeout+time.Second, 24*time.Hour)
	between("Notify.Drain", n.Drain, time.Millisecond, time.Hour)
	between("Notify.Keep", n.Keep, time.Hour, 100*365*24*time.Hour)
	between("Notify.KeepDead", n.KeepDead, time.Hour, 100*365*24*time.Hour)
	fault(n.Batch < 1 || n.Batch > 1000, "Notify.Batch is %d: want 1 to 1000", n.Batch)
	fault(n.Parallel < 1, "Notify.Parallel is %d: want 1 or more", n.Parallel)
	fault(n.MaxAttempts < 1, "Notify.MaxAttempts is %d: want 1 or more", n.MaxAttempts)
	for _, kind := range slices.Concat(n.Off, n.On) {
		fault(!slices.Contains(notify.Kinds(), kind), "Notify.Off, Notify.On: no kind of message is called %q", kind)
	}
	for _, kind := range n.Off {
		fault(notify.CarriesSecret(kind), "Notify.Off: %q carries a link or code and cannot be switched off", kind)
	}
	fault(!isSupport(n.SupportURL), "Notify.SupportURL is %q: want an http, https or mailto URL", n.SupportURL)
	fault(s.Callbacks.Publish == mixins.RevocationFeed, "Callbacks.Publish is %q: that channel is Roster's own", s.Callbacks.Publish)
	between("Callbacks.OnTimeout", s.Callbacks.OnTimeout, time.Millisecond, time.Hour)
	for _, lane := range []struct {
		name string
		mixins.LaneConfig
	}{
		{"Protection.Source", s.Protection.Source},
		{"Protection.Identifier", s.Protection.Identifier},
		{"Protection.Pair", s.Protection.Pair},
		{"Protection.Device", s.Protection.Device},
		{"Protection.DeviceRate", s.Protection.DeviceRate},
		{"Protection.Registration", s.Protection.Registration},
		{"Protection.Mails", s.Protection.Mails},
		{"Protection.Codes", s.Protection.Codes},
		{"Protection.CodePause", s.Protection.CodePause},
		{"Protection.AskedMessages", s.Protection.AskedMessages},
		{"Protection.Target", s.Protection.Target},
		{"Protection.TargetDaily", s.Protection.TargetDaily},
		{"Protection.ExistingAccounts", s.Protection.ExistingAccounts},
		{"Protection.Exports", s.Protection.Exports},
		{"Protection.UsernameChecks", s.Protection.UsernameChecks},
		{"Username.ChangeQuota", s.Username.ChangeQuota},
	} {
		if !lane.Off {
			fault(lane.Max < 1, "%s.Max is %d: want 1 or more, or Off", lane.name, lane.Max)
			between(lane.name+".Window", lane.Window, time.Second, 24*time.Hour)
		}
	}
	p := s.Protection
	between("Protection.FirstWait", p.FirstWait, time.Millisecond, p.MaxWait)
	fault(p.QuietTime > 5*time.Second, "Protection.QuietTime is %s: want at most 5s", p.QuietTime)
	between("Protection.MaxWait", p.MaxWait, time.Second, 24*time.Hour)
	between("Protection.DeviceTTL", p.DeviceTTL, time.Minute, 10*365*24*time.Hour)
	fault(p.DevicesPerUser < 1, "Protection.DevicesPerUser is %d: want 1 or more, or Device.Off", p.DevicesPerUser)
	for _, network := range s.Protection.TrustedSources {
		_, err := netip.ParsePrefix(network)
		fault(err != nil, "Protection.TrustedSources: %q is no network in CIDR notation", network)
	}
	between("Audit.Keep", s.Audit.Keep, 24*time.Hour, 100*365*24*time.Hour)
	for _, name := range s.Management.KnownPermissions {
		fault(!roster.IsPermission(name), "Management.KnownPermissions: %q is no permission", name)
	}
	for name, renamed := range s.Management.Permissions {
		fault(!slices.Contains(roster.OwnPermissions(), name), "Management.Permissions: Roster has no permission %q", name)
		fault(!roster.IsPermission(renamed), "Management.Permissions: %q is called %q, which is no permission", name, renamed)
	}
	for _, page := range []struct{ name, url string }{
		{"ConfirmEmail", n.Links.ConfirmEmail},
		{"ResetPassword", n.Links.ResetPassword},
		{"SetPassword", n.Links.SetPassword},
		{"ConfirmEmailChange", n.Links.ConfirmEmailChange},
		{"CancelChange", n.Links.CancelChange},
	} {
		fault(!c.isPage(page.url), "Notify.Links.%s is %q: want a path that begins with /, or an https URL on one of Notify.Links.Hosts",
			page.name, page.url)
	}
	for _, host := range n.Links.Hosts {
		u, err := url.Parse("https://" + host + "/")
		fault(err != nil || u.Host != host || u.Hostname() == "", "Notify.Links.Hosts: %q is no host", host)
	}
	return errors.Join(errs...)
}

// isAlphabet reports whether codes can be made of a text: nothing in it that is twice, or gets lost in a link or when
// somebody types it.
func isAlphabet(text string) bool {
	for i, r := range text {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		if !letter || strings.ContainsRune(text[:i], r) {
			return false
		}
	}
	return true
}

// isPage reports whether messages may lead there: to a path on the base URL, or to a URL on a host that was named. The
// fragment is the token's.
func (c Config) isPage(page string) bool {
	if strings.ContainsAny(page, "#\\") || strings.ContainsFunc(page, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return false
	}
	if strings.HasPrefix(page, "/") {
		return !strings.HasPrefix(page, "//")
	}
	u, err := url.Parse(page)
	if err != nil || u.User != nil || u.Opaque != "" || !slices.Contains(c.Notify.Links.Hosts, u.Host) {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && c.Development && isLocal(u.Hostname())
}

// isSupport reports whether notices may send people there: "" names no place.
func isSupport(page string) bool {
	u, err := url.Parse(page)
	if err != nil {
		return false
	}
	return page == "" || (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" || u.Scheme == "mailto" && u.Opaque != ""
}

// typedNil reports whether an interface holds a nil pointer or function, which is not nil itself.
func typedNil(value any) bool {
	v := reflect.ValueOf(value)
	return (v.Kind() == reflect.Pointer || v.Kind() == reflect.Func) && v.IsNil()
}

func (c Config) checkBaseURL() error {
	if c.BaseURL == "" {
		return errors.New("BaseURL is missing")
	}
	u, err := url.Parse(c.BaseURL)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(c.BaseURL, "#") {
		return errors.New("BaseURL: want https://host, perhaps with a path; no user, query or fragment")
	}
	host := u.Hostname()
	switch {
	case c.Development && !isLocal(host):
		return fmt.Errorf("development is for localhost only, not for %s", host)
	case u.Scheme == "https" || u.Scheme == "http" && c.Development:
		return nil
	}
	return errors.New("BaseURL: want https; plain http is for Development on localhost")
}

// isLocal reports whether a host is this machine.
func isLocal(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
