package usersrepo_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"io/fs"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/cache"
	"github.com/roster-go/roster/identifiers"
	"github.com/roster-go/roster/mixins"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/passwords"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/secrets"
	"github.com/roster-go/roster/tokens"
	"github.com/roster-go/roster/usersrepo"
)

// hasher is one that cannot be used as a nil pointer, as most cannot.
type hasher struct{ inner passwords.Hasher }

func (h *hasher) Hash(ctx context.Context, password roster.Secret) (string, error) {
	return h.inner.Hash(ctx, password)
}

func (h *hasher) Verify(ctx context.Context, encoded string, password roster.Secret) (passwords.Match, error) {
	return h.inner.Verify(ctx, encoded, password)
}

func generated(t *testing.T, alg tokens.Algorithm, state tokens.State) tokens.Key {
	t.Helper()
	k, err := tokens.Generate(alg, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	k.State = state
	return k
}

func rsaPEM(t *testing.T, bits int) []byte {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)})
}

type breaches struct{ passwords.BreachChecker }

type folder struct{ inner fs.FS }

func (f *folder) Open(name string) (fs.File, error) { return f.inner.Open(name) }

func TestConfig(t *testing.T) {
	t.Parallel()
	good, _ := config(t)
	tests := map[string]struct {
		change func(*usersrepo.Config)
		want   []string // parts of the error; none: it is fine
	}{
		"is fine as the tests have it": {func(*usersrepo.Config) {}, nil},
		"is fine without a sender of mails when nothing is confirmed": {func(c *usersrepo.Config) {
			c.Notify.Mail, c.Confirm.NoneOnRegister = nil, true
		}, nil},
		"is fine with limits off": {func(c *usersrepo.Config) {
			c.Protection.Source = mixins.LaneConfig{Off: true, Max: -1}
		}, nil},
		"is fine with no grace":    {func(c *usersrepo.Config) { c.Session.Grace = -1 }, nil},
		"is fine with a base path": {func(c *usersrepo.Config) { c.BaseURL = "https://example.com/app" }, nil},
		"is fine with http on localhost in development": {func(c *usersrepo.Config) {
			c.Development, c.BaseURL = true, "http://127.0.0.1:3000"
		}, nil},
		"refuses the zero value, with all that is missing": {
			func(c *usersrepo.Config) { *c = usersrepo.Config{} },
			[]string{"DB is missing", "BaseURL is missing", "Notify.Mail is missing", "secret"},
		},
		// SEC-54, SESS-65
		"refuses a weak secret": {
			func(c *usersrepo.Config) {
				c.Secrets = []secrets.Secret{{ID: "a", Key: []byte(strings.Repeat("a", 32))}}
			},
			[]string{"repeats one byte"},
		},
		"refuses a short secret": {
			func(c *usersrepo.Config) { c.Secrets = []secrets.Secret{{ID: "a", Key: []byte("short")}} }, []string{"5 bytes"},
		},
		// SESS-65, case 16
		"refuses weak and doubled signing keys, all in one report": {func(c *usersrepo.Config) {
			shared := bytes.Clone(c.Secrets[0].Key)
			c.BaseURL, c.Session.Algorithm = "http://example.com", tokens.EdDSA
			c.Keys = []tokens.Key{
				tokens.FromSecret(tokens.Active, []byte(strings.Repeat("secret", 10))),
				tokens.FromSecret(tokens.Next, []byte("short")),
				tokens.FromPEM(tokens.Next, rsaPEM(t, 2048)),
				tokens.FromPEM(tokens.Next, []byte("no PEM")),
				tokens.FromSecret(tokens.Retired, []byte(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("abcdefgh"), 4)))),
				tokens.FromSecret(tokens.Retired, shared),
				tokens.FromSecret(tokens.Retired, []byte(hex.EncodeToString(shared))),
				tokens.FromSecret(tokens.Retired, shared),
			}
		}, []string{
			"want https", "Keys: active key: ", "must not repeat a pattern", "at least 32 bytes, not 5", "3072 to 8192 bits, not 2048", "no PEM block",
			"repeats a pattern", "is number 1 of Secrets", "given twice",
		}},
		"refuses signing keys of which none signs, or two do": {func(c *usersrepo.Config) {
			c.Keys = []tokens.Key{generated(t, tokens.ES256, tokens.Next)}
		}, []string{"Keys: 0 keys are active"}},
		"refuses two signing keys that sign": {func(c *usersrepo.Config) {
			c.Keys = []tokens.Key{generated(t, tokens.ES256, tokens.Active), generated(t, tokens.ES256, tokens.Active)}
		}, []string{"Keys: 2 keys are active"}},
		"refuses an algorithm that is not that of the signing key": {func(c *usersrepo.Config) {
			c.Keys, c.Session.Algorithm = []tokens.Key{generated(t, tokens.ES256, tokens.Active)}, tokens.RS256
		}, []string{"the active key is of ES256, and Session.Algorithm is RS256"}},
		"is fine with signing keys of the program's own": {func(c *usersrepo.Config) {
			c.Keys = []tokens.Key{generated(t, tokens.HS256, tokens.Active), tokens.FromPEM(tokens.Next, rsaPEM(t, 3072))}
		}, nil},
		// SESS-62
		"refuses a life of signing keys that is too short": {
			func(c *usersrepo.Config) { c.Session.KeyLife = time.Minute }, []string{"Session.KeyLife is 1m0s"},
		},
		"refuses a life of signing keys that is too long": {
			func(c *usersrepo.Config) { c.Session.KeyLife = 11 * 365 * 24 * time.Hour }, []string{"Session.KeyLife"},
		},
		"is fine with signing keys that stay": {func(c *usersrepo.Config) { c.Session.KeyLife = -1 }, nil},
		"refuses plain http":                  {func(c *usersrepo.Config) { c.BaseURL = "http://example.com" }, []string{"https"}},
		"refuses plain http on localhost":     {func(c *usersrepo.Config) { c.BaseURL = "http://localhost" }, []string{"Development"}},
		"refuses a base URL without a host":   {func(c *usersrepo.Config) { c.BaseURL = "https:///app" }, []string{"BaseURL"}},
		"refuses a base URL with a user":      {func(c *usersrepo.Config) { c.BaseURL = "https://ann:pw@example.com" }, []string{"BaseURL"}},
		"refuses a base URL with a query":     {func(c *usersrepo.Config) { c.BaseURL = "https://example.com?a=b" }, []string{"BaseURL"}},
		"refuses a base URL with a fragment":  {func(c *usersrepo.Config) { c.BaseURL = "https://example.com/#a" }, []string{"BaseURL"}},
		"refuses a base URL that is none":     {func(c *usersrepo.Config) { c.BaseURL = "example.com" }, []string{"BaseURL"}},
		"refuses development anywhere else":   {func(c *usersrepo.Config) { c.Development = true }, []string{"localhost only"}},
		"refuses development under such a name": {
			func(c *usersrepo.Config) { c.Development, c.BaseURL = true, "http://localhost.example.com" }, []string{"localhost only"},
		},
		// SEC-110
		"refuses interfaces that hold nil": {func(c *usersrepo.Config) {
			c.Cache = (*cache.Memory)(nil)
			c.Notify.Mail = (*notify.Memory)(nil)
			c.Notify.Templates = (*folder)(nil)
			c.Notify.SMS = (*notify.Memory)(nil)
			c.Password.Hasher, c.Password.Breached = (*hasher)(nil), (*breaches)(nil)
		}, []string{
			"Cache is a nil", "Notify.Mail is a nil", "Notify.SMS is a nil", "Notify.Templates is a nil", "Password.Hasher is a nil",
			"Password.Breached is a nil",
		}},
		// PROT-44, SEC-120
		"refuses lives of links and codes that are too short, and too long": {func(c *usersrepo.Config) {
			c.Confirm = mixins.ConfirmConfig{EmailTTL: 31 * 24 * time.Hour, ChangeTTL: 25 * time.Hour, RevertWindow: 31 * 24 * time.Hour}
			c.OneTime = mixins.OneTimeConfig{EmailDigits: 5, PhoneDigits: 11, CodeTTL: 11 * time.Minute}
			c.Password.ResetTTL, c.Password.ResetForUnverified = 25*time.Hour, "nothing"
		}, []string{
			"Confirm.EmailTTL", "Confirm.ChangeTTL", "Confirm.RevertWindow", "OneTime.EmailDigits is 5", "OneTime.PhoneDigits is 11",
			"OneTime.CodeTTL", "Password.ResetTTL", `Password.ResetForUnverified is "nothing"`,
		}},
		// OTP-30, OTP-42
		"refuses codes that can be guessed, and kinds that there are not": {func(c *usersrepo.Config) {
			c.OneTime = mixins.OneTimeConfig{
				EmailAlphabet: "abba-", EmailDigits: 6, Off: []roster.CodeKind{{Channel: "fax", Purpose: roster.CodeLogin}, {Channel: "email", Purpose: "change"}},
			}
			c.Account.Backends = []roster.Backend{nil}
			c.Protection.QuietTime = 6 * time.Second
		}, []string{
			"Protection.QuietTime",
			"OneTime.EmailAlphabet: want different", "make less than a million", `"login" by "fax"`, `"change" by "email"`,
			"Account.Backends: number 1 is nil",
		}},
		// OTP-11, OTP-26
		"refuses lives of one-time passwords out of their bounds": {func(c *usersrepo.Config) {
			c.OneTime = mixins.OneTimeConfig{Expiration: 25 * time.Hour, Retention: -1}
		}, []string{"OneTime.Expiration is 25h0m0s: want 1s to 24h0m0s", "OneTime.Retention"}},
		"refuses a longest life of one-time passwords that is out of its bounds": {
			func(c *usersrepo.Config) { c.OneTime.MaxLife = 31 * 24 * time.Hour }, []string{"OneTime.MaxLife"},
		},
		"refuses negative ones": {func(c *usersrepo.Config) {
			c.Confirm = mixins.ConfirmConfig{EmailTTL: -1, ChangeTTL: -1}
			c.OneTime = mixins.OneTimeConfig{EmailDigits: -1, PhoneDigits: -1, CodeTTL: -1}
			c.Audit.Keep, c.Notify.Keep, c.Notify.KeepDead = time.Hour, time.Minute, -1
		}, []string{
			"Confirm.EmailTTL", "Confirm.ChangeTTL", "OneTime.EmailDigits", "OneTime.PhoneDigits", "OneTime.CodeTTL", "Audit.Keep",
			"Notify.Keep ", "Notify.KeepDead",
		}},
		"refuses permissions that are none, and names of none": {func(c *usersrepo.Config) {
			c.Management.KnownPermissions = []string{"reports:read", "Reports", "", "a b"}
			c.Management.Permissions = map[string]string{"users:band": "moderation:ban", "users:ban": "Moderation!"}
		}, []string{`"Reports" is no permission`, `"" is no permission`, `"a b" is no permission`, `"users:band"`, `"Moderation!"`}},
		"refuses a support page that opens nothing": {
			func(c *usersrepo.Config) { c.Notify.SupportURL = "javascript:alert(1)" }, []string{"Notify.SupportURL"},
		},
		"takes a support page, and an address": {func(c *usersrepo.Config) { c.Notify.SupportURL = "mailto:help@example.com" }, nil},
		"refuses to publish where nodes tell each other of revocations": {
			func(c *usersrepo.Config) { c.Callbacks.Publish = "revocations" }, []string{`Callbacks.Publish is "revocations"`},
		},
		"refuses durations out of their bounds": {func(c *usersrepo.Config) {
			c.Session.AccessTTL, c.Session.RefreshIdle, c.Session.ShortIdle = time.Second, 91*24*time.Hour, time.Second
			c.Session.Leeway, c.Session.Grace, c.Session.Keep, c.Session.FreshFor = 2*time.Minute, 2*time.Minute, time.Second, -1
			c.Confirm.EmailTTL, c.Password.FirstTTL, c.Callbacks.OnTimeout, c.Notify.Poll = time.Second, 31*24*time.Hour, -1, -1
		}, []string{
			"Session.AccessTTL", "Session.RefreshIdle", "Session.ShortIdle", "Session.Leeway", "Session.Grace", "Session.Keep",
			"Session.FreshFor", "Confirm.EmailTTL", "Password.FirstTTL", "Callbacks.OnTimeout", "Notify.Poll",
		}},
		// SESS-84
		"is fine with profiles of sessions": {func(c *usersrepo.Config) {
			c.Session.Profiles = map[string]mixins.SessionProfile{
				"a":          {AccessTTL: 10 * time.Minute, RefreshIdle: 11 * time.Minute, RefreshAbsolute: 11 * time.Minute, FreshFor: 15 * time.Minute},
				"B.2_c-d":    {FreshFor: time.Second},
				"superusers": {Superusers: true, Clients: []string{"a", "a"}, RefreshAbsolute: time.Minute},
			}
		}, nil},
		"refuses profiles of sessions that are longer or shorter than can be, all in one report": {func(c *usersrepo.Config) {
			c.Session.AccessTTL = 5 * time.Minute
			c.Session.Profiles = map[string]mixins.SessionProfile{
				"longer":    {AccessTTL: 6 * time.Minute, RefreshIdle: 15 * 24 * time.Hour, RefreshAbsolute: 91 * 24 * time.Hour, FreshFor: time.Hour},
				"short":     {AccessTTL: time.Second, RefreshIdle: time.Second, RefreshAbsolute: time.Second, FreshFor: time.Millisecond},
				"negative":  {AccessTTL: -1, RefreshIdle: -1, RefreshAbsolute: -1, FreshFor: -1},
				"none":      {Superusers: true},
				"late":      {RefreshIdle: 5 * time.Minute},
				"later":     {RefreshIdle: 2 * time.Hour, RefreshAbsolute: time.Hour},
				"nobody":    {Clients: []string{""}, FreshFor: time.Minute},
				"two names": {FreshFor: time.Minute}, "": {FreshFor: time.Minute}, strings.Repeat("n", 33): {FreshFor: time.Minute},
			}
		}, []string{
			`Session.Profiles: "longer": AccessTTL is 6m0s: a profile has no longer lives than Session.AccessTTL, 5m0s`,
			`"longer": RefreshIdle is 360h0m0s: a profile has no longer lives than Session.RefreshIdle, 336h0m0s`,
			`"longer": RefreshAbsolute is`, `"longer": FreshFor is 1h0m0s`,
			`"short": AccessTTL is 1s: want 1m0s to 5m0s`, `"short": RefreshIdle is 1s`, `"short": RefreshAbsolute is 1s`, `"short": FreshFor is 1ms: want 1s`,
			`"negative": AccessTTL is -1ns: want`, `"negative": RefreshIdle is -1ns`, `"negative": RefreshAbsolute is -1ns`, `"negative": FreshFor is -1ns`,
			`"none": it has no life that is shorter`, `"late": RefreshIdle is 5m0s: want more than AccessTTL, 5m0s`,
			`"later": RefreshIdle is 2h0m0s: want at most its RefreshAbsolute, 1h0m0s`, `"nobody": Clients`,
			`"two names": want a name`, `"": want a name`, `nnn": want a name`,
		}},
		"refuses limits that let nobody pass": {func(c *usersrepo.Config) {
			p := &c.Protection
			p.Source.Max, p.Identifier.Max, p.Pair.Max, p.Registration.Max, p.Mails.Window = -1, -1, -1, -1, -1
			p.Target.Max, p.TargetDaily.Max = -1, -1
			c.Session.MaxPerUser = -1
		}, []string{
			"Protection.Source.Max", "Protection.Identifier.Max", "Protection.Pair.Max", "Protection.Registration.Max",
			"Protection.Mails.Window", "Protection.Target.Max", "Protection.TargetDaily.Max", "Session.MaxPerUser",
		}},
		// ACCT-14
		"refuses to conceal registrations and let everybody in": {func(c *usersrepo.Config) {
			c.Account.ConcealRegistration, c.Account.CloseMode = true, "erase"
		}, []string{"Account.ConcealRegistration needs Account.RequireConfirmed", `Account.CloseMode is "erase"`}},
		"refuses words that it does not know": {func(c *usersrepo.Config) {
			c.Account.LoginFields = []identifiers.Kind{"emial"}
			c.Session.Algorithm = "none"
		}, []string{`"emial"`, `Session.Algorithm is "none"`}},
		"refuses a network that is none": {
			func(c *usersrepo.Config) { c.Protection.TrustedSources = []string{"10.0.0.0/8", "10.0.0.1"} },
			[]string{`"10.0.0.1"`},
		},
		"refuses pages that are elsewhere": {func(c *usersrepo.Config) {
			c.Notify.Links = mixins.LinksConfig{ConfirmEmail: "//evil.example/confirm", SetPassword: "https://evil.example"}
		}, []string{"Notify.Links.ConfirmEmail", "Notify.Links.SetPassword"}},
		// MAIL-43
		"refuses pages on hosts that were not named, and with what is not theirs": {func(c *usersrepo.Config) {
			c.Notify.Links = mixins.LinksConfig{
				Hosts: []string{"login.example.com"}, ConfirmEmail: "http://login.example.com/a", ResetPassword: "https://evil.example/a",
				SetPassword: "https://ann@login.example.com/", ConfirmEmailChange: "https://login.example.com/#a", CancelChange: "/a\\b",
			}
		}, []string{
			"Notify.Links.ConfirmEmail", "Notify.Links.ResetPassword", "Notify.Links.SetPassword", "Notify.Links.ConfirmEmailChange",
			"Notify.Links.CancelChange",
		}},
		"refuses hosts that are none": {
			func(c *usersrepo.Config) { c.Notify.Links.Hosts = []string{"login.example.com/a"} }, []string{"Notify.Links.Hosts"},
		},
		"takes pages on hosts that were named": {func(c *usersrepo.Config) {
			c.Notify.Links = mixins.LinksConfig{Hosts: []string{"login.example.com"}, CancelChange: "https://login.example.com/cancel?a=b"}
		}, nil},
		// MAIL-35
		"refuses to switch off what carries a link, and kinds that there are not": {func(c *usersrepo.Config) {
			c.Notify.Off, c.Notify.On = []string{"password_reset", "code_sms", "archived"}, []string{"baned"}
		}, []string{`"password_reset"`, `"code_sms"`, `"baned"`}},
		"refuses numbers of the outbox": {func(c *usersrepo.Config) {
			n := &c.Notify
			n.Batch, n.Parallel, n.MaxAttempts, n.Lease, n.SendTimeout, n.Drain, n.Keep, n.KeepDead = -1, -1, -1, -1, -1, -1, -1, -1
		}, []string{
			"Notify.Batch", "Notify.Parallel", "Notify.MaxAttempts", "Notify.Lease", "Notify.SendTimeout", "Notify.Drain", "Notify.Keep",
			"Notify.KeepDead",
		}},
		"refuses a template that does not parse": {func(c *usersrepo.Config) {
			c.Notify.Templates = fstest.MapFS{"email_confirm/en.txt": {Data: []byte("{{.Nobody}}")}}
		}, []string{"templates"}},
		"refuses all at once": {func(c *usersrepo.Config) {
			c.DB, c.BaseURL, c.Secrets, c.Session.MaxPerUser = nil, "http://example.com", nil, -1
			c.Username.MinLength, c.Password.MinLength = -1, 1
		}, []string{"DB is missing", "BaseURL", "secret", "Session.MaxPerUser", "username", "passwords"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := good
			tt.change(&cfg)
			_, err := usersrepo.New[*account](cfg)
			if len(tt.want) == 0 {
				if err != nil {
					t.Errorf("got %v, want no error", err)
				}
				return
			}
			if err == nil {
				t.Fatal("got no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
		})
	}

	// PROT-44: whatever is counted, by the names of its settings, so that none is forgotten.
	t.Run("refuses each limit that lets nobody pass or holds for no time or too long", func(t *testing.T) {
		lanes := []string{"Username.ChangeQuota"}
		for _, f := range reflect.VisibleFields(reflect.TypeFor[mixins.ProtectionConfig]()) {
			if f.Type == reflect.TypeFor[mixins.LaneConfig]() {
				lanes = append(lanes, "Protection."+f.Name)
			}
		}
		set := func(cfg *usersrepo.Config, l mixins.LaneConfig) error {
			for _, lane := range lanes {
				part, name, _ := strings.Cut(lane, ".")
				reflect.ValueOf(cfg).Elem().FieldByName(part).FieldByName(name).Set(reflect.ValueOf(l))
			}
			_, err := usersrepo.New[*account](*cfg)
			return err
		}
		for fault, l := range map[string]mixins.LaneConfig{
			".Max is -1":           {Max: -1},
			".Window is 999":       {Window: time.Second - 1},
			".Window is 24h0m0.00": {Window: 24*time.Hour + time.Millisecond},
			".Window is -1s":       {Window: -time.Second},
		} {
			cfg := good
			err := set(&cfg, l)
			for _, lane := range lanes {
				if err == nil || !strings.Contains(err.Error(), lane+fault) {
					t.Errorf("%s%s is not in: %v", lane, fault, err)
				}
			}
		}
		cfg := good
		if err := set(&cfg, mixins.LaneConfig{Off: true, Max: -1, Window: -1}); err != nil {
			t.Errorf("all off: %v", err)
		}
	})

	// SEC-120: what is not set is safe.
	t.Run("defaults are within their own bounds and strict", func(t *testing.T) {
		s := mixins.Settings{BaseURL: "https://app.example"}.WithDefaults()
		p := s.Protection
		for i, ok := range []bool{
			s.Session.AccessTTL == 10*time.Minute, s.Session.Algorithm == tokens.ES256, s.Session.Issuer == s.BaseURL, s.Session.Audience == s.BaseURL,
			!p.Source.Off, !p.Identifier.Off, !p.Pair.Off, !p.Registration.Off, !p.Mails.Off, !p.Codes.Off, !p.Target.Off, p.CloseAfter == 100,
			s.OneTime.EmailDigits >= 6, s.OneTime.CodeTTL <= 10*time.Minute, s.Password.ResetTTL <= time.Hour,
			s.Password.ResetForUnverified == mixins.SendActivation, len(p.TrustedSources) == 0, s.Audit.Keep >= 365*24*time.Hour,
		} {
			if !ok {
				t.Errorf("default %d is not safe: %+v", i, s)
			}
		}
	})

	t.Run("says the same each time", func(t *testing.T) {
		none := mixins.LaneConfig{Max: -1}
		cfg := usersrepo.Config{Protection: mixins.ProtectionConfig{Source: none, Pair: none, Registration: none, Mails: none}}
		_, first := usersrepo.New[*account](cfg)
		for range 3 {
			if _, again := usersrepo.New[*account](cfg); again.Error() != first.Error() {
				t.Errorf("got %v, want %v", again, first)
			}
		}
	})

	t.Run("faults come together with those of the struct and of the methods", func(t *testing.T) {
		cfg := good
		cfg.BaseURL = ""
		app := &struct {
			usersrepo.UsersRepo[*faulty]
			onTyping
		}{}
		err := usersrepo.Init(app, cfg)
		for _, want := range []string{"BaseURL is missing", "OnCreat", "writable"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not in: %v", want, err)
			}
		}
	})
}

type faulty struct {
	roster.User
	Company string `db:"company" json:"company" roster:"writable"`
}

type onTyping struct{}

func (onTyping) OnCreat() {}

func TestDevelopment(t *testing.T) {
	t.Parallel()

	t.Run("needs a database alone, and says that it is one", func(t *testing.T) {
		t.Parallel()
		var log bytes.Buffer
		app := &accounts{}
		err := usersrepo.Init(app, usersrepo.Config{
			DB: rostertest.Open(t, rostertest.SQLite), AutoMigrate: true, Development: true,
			Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := app.Create(t.Context(), ann(), roster.WithConfirmation()); err != nil {
			t.Fatal(err)
		}
		if _, err := app.Deliver(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(log.String(), "http://localhost:8080/confirm#token=") {
			t.Errorf("the log has no link:\n%s", log.String())
		}
	})

	t.Run("is silent without a logger", func(t *testing.T) {
		t.Parallel()
		err := usersrepo.Init(&accounts{}, usersrepo.Config{
			DB: rostertest.Open(t, rostertest.SQLite), AutoMigrate: true, Development: true,
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
