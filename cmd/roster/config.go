package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/go-viper/mapstructure/v2"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/identifiers"
	"github.com/roster-go/roster/mixins"
	"github.com/roster-go/roster/routes"
	"github.com/roster-go/roster/store"
	"github.com/roster-go/roster/usersrepo"
)

// fileConfig is the file of --config: the settings of usersrepo.Config and routes.Config that can be written down. Names
// are those of the Go fields in snake_case, durations are texts such as "10m".
type fileConfig struct {
	Product    string
	Store      store.Config
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
	Routes     routesConfig
}

type routesConfig struct {
	MaxBody        int64
	Timeout        time.Duration
	MinDuration    time.Duration
	ProblemBase    string
	Realm          string
	Tokens         routes.Transport
	CookieName     string
	Origins        []string
	CORSOrigins    []string
	ClearSiteData  []string // [] is nothing
	Without        []string // endpoints for users that are not mounted
	AdminWithout   []string // and for administrators
	TrustedProxies []string // networks (CIDR) whose X-Forwarded-For is believed
	Limits         map[string]int
	AllowIPs       []string `mapstructure:"allow_ips"`
	UsernameCheck  routes.Auth
	RequireReason  bool
	Services       map[string][]roster.Secret // and those of ROSTER_SERVICES
}

// readFile reads the file of --config; "" is the empty one. A name that no setting has is an error.
func readFile(path string) (fileConfig, error) {
	var cfg fileConfig
	if path == "" {
		return cfg, nil
	}
	text, err := os.ReadFile(path) //nolint:gosec // the operator names it
	if err != nil {
		return cfg, fmt.Errorf("--config: %w", err)
	}
	var settings map[string]any
	if err := json.Unmarshal(text, &settings); err != nil {
		return cfg, fmt.Errorf("--config: %s: %w", path, err)
	}
	decoder, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		Result: &cfg, ErrorUnused: true, Squash: true,
		MatchName:  func(key, field string) bool { return key == snake(field) },
		DecodeHook: mapstructure.StringToTimeDurationHookFunc(),
	})
	if err != nil {
		return cfg, err
	}
	if err := decoder.Decode(settings); err != nil {
		return cfg, fmt.Errorf("--config: %s: %w", path, err)
	}
	return cfg, nil
}

// snake turns AccessTTL into access_ttl.
func snake(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		starts := unicode.IsUpper(r) && i > 0 &&
			(unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1]))
		if starts {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// servicesVariable names services and their secrets: orders=SECRET,SECRET;bills=SECRET. It is no flag, since a command line is
// shown to everybody on the machine.
const servicesVariable = "ROSTER_SERVICES"

// addServices adds those of a text to those of the file. The error tells no secret.
func (r *routesConfig) addServices(text string) error {
	for part := range strings.SplitSeq(text, ";") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		name, list, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok || name == "" {
			return fmt.Errorf("%s: want NAME=SECRET,SECRET;NAME=SECRET", servicesVariable)
		}
		if r.Services == nil {
			r.Services = map[string][]roster.Secret{}
		}
		for secret := range strings.SplitSeq(list, ",") {
			r.Services[name] = append(r.Services[name], roster.Secret(strings.TrimSpace(secret)))
		}
	}
	return nil
}

func (f fileConfig) repo() usersrepo.Config {
	return usersrepo.Config{
		Product: f.Product, Store: f.Store, Account: f.Account, Session: f.Session, Username: f.Username, Email: f.Email,
		Phone: f.Phone, Confirm: f.Confirm, Password: f.Password, OneTime: f.OneTime, Protection: f.Protection, Notify: f.Notify, Callbacks: f.Callbacks,
		Management: f.Management, Audit: f.Audit,
	}
}

func (f fileConfig) usersTable() string {
	if f.Store.UsersTable != "" {
		return f.Store.UsersTable
	}
	return "users"
}

func (f fileConfig) routes(t terminal) (routes.Config, error) {
	cfg := routes.Config{
		MaxBody: f.Routes.MaxBody, Timeout: f.Routes.Timeout, MinDuration: f.Routes.MinDuration, ProblemBase: f.Routes.ProblemBase, Realm: f.Routes.Realm,
		Without: f.Routes.Without, Logger: t.logger,
		Limits: f.Routes.Limits, AllowIPs: f.Routes.AllowIPs,
		UsernameCheck: f.Routes.UsernameCheck, RequireReason: f.Routes.RequireReason,
		Tokens: f.Routes.Tokens, CookieName: f.Routes.CookieName, Origins: f.Routes.Origins, CORSOrigins: f.Routes.CORSOrigins,
		ClearSiteData: f.Routes.ClearSiteData,
		Services:      f.Routes.Services,
	}
	if len(f.Routes.TrustedProxies) == 0 {
		return cfg, nil
	}
	var err error
	if cfg.IPExtractor, err = routes.TrustProxies(f.Routes.TrustedProxies...); err != nil {
		return cfg, fmt.Errorf("--config: routes.trusted_proxies: %w", err)
	}
	return cfg, nil
}
