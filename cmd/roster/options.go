package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/cache"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/secrets"
	"github.com/roster-go/roster/store"
	"github.com/roster-go/roster/usersrepo"
)

// Options are the flags of every command.
type Options struct {
	Addr       string            `default:"127.0.0.1:8080" env:"ROSTER_ADDR" help:"Address to listen on (${env})." placeholder:"HOST:PORT"`
	Database   string            `default:"sqlite:roster.db" env:"ROSTER_DATABASE" help:"sqlite:PATH or postgres://… (${env})." placeholder:"URL"`
	Redis      string            `env:"ROSTER_REDIS" help:"redis://…; none: limits are counted in memory (${env})." placeholder:"URL"`
	BaseURL    string            `env:"ROSTER_BASE_URL" help:"Where people reach the program, with https (${env})." name:"base-url" placeholder:"URL"`
	SMTP       string            `env:"ROSTER_SMTP" help:"smtp://USER:PASSWORD@HOST:587?from=ADDRESS (${env})." name:"smtp" placeholder:"URL"`
	SMS        string            `env:"ROSTER_SMS" help:"https:// URL of a gateway to which SMS are posted (${env})." name:"sms" placeholder:"URL"`
	SMSHeaders map[string]string `env:"ROSTER_SMS_HEADERS" help:"Headers for the gateway, such as \"Authorization=Bearer KEY\" (${env}, with ; between them)." name:"sms-header" placeholder:"NAME=VALUE"`
	Secrets    string            `env:"ROSTER_SECRETS" help:"Master keys as ID:BASE64, the current one first (${env}). \"roster secret\" makes one." placeholder:"LIST"`
	Config     string            `env:"ROSTER_CONFIG" help:"JSON file of further settings (${env})." placeholder:"FILE" type:"path"`
	LogLevel   level             `default:"info" env:"ROSTER_LOG_LEVEL" help:"debug, info, warn or error; above info there is no line for each request (${env})." placeholder:"LEVEL"`
	Dev        bool              `env:"ROSTER_DEV" help:"For localhost: takes plain http and a known secret; serve migrates, prints a superuser's first password, shows mails at /dev/mailbox (${env})."`
}

// level is a slog.Level by its name alone.
type level slog.Level

// Level implements slog.Leveler.
func (l level) Level() slog.Level { return slog.Level(l) }

// UnmarshalText reads a name, in small or capital letters.
func (l *level) UnmarshalText(text []byte) error {
	switch strings.ToLower(string(text)) {
	case "debug", "info", "warn", "error":
		return (*slog.Level)(l).UnmarshalText(text)
	}
	return fmt.Errorf("want debug, info, warn or error, not %q", text)
}

// program is a repo with what it was made of.
type program struct {
	db      *sqlx.DB
	repo    *usersrepo.UsersRepo[*Account]
	file    fileConfig
	cache   cache.Cache
	mailbox *notify.Memory // of development; else nil
	close   func()
}

// open makes the repo that the flags, the environment and the file describe, and a command adjusts; it tells all that is
// wrong at once.
func (o *Options) open(ctx context.Context, t terminal, adjust func(cfg *usersrepo.Config)) (*program, error) {
	p := &program{}
	var closers []func() error
	p.close = func() {
		for _, closer := range slices.Backward(closers) {
			if err := closer(); err != nil {
				t.logger.ErrorContext(context.WithoutCancel(ctx), "closing failed", slog.Any("error", err))
			}
		}
	}
	var faults []error
	file, err := readFile(o.Config)
	faults = append(faults, err, file.Routes.addServices(os.Getenv(servicesVariable)))
	p.file = file
	cfg := file.repo()
	cfg.BaseURL, cfg.Logger, cfg.Development = o.BaseURL, t.logger, o.Dev
	if p.db, err = store.Open(o.Database); err == nil {
		closers = append(closers, p.db.Close)
	}
	faults = append(faults, err)
	cfg.DB = p.db
	if o.Redis != "" {
		client, err := cache.OpenRedis(o.Redis)
		faults = append(faults, err)
		if err == nil {
			closers = append(closers, client.Close)
			p.cache = cache.NewRedis(client, cache.RedisConfig{Prefix: "roster:" + file.usersTable() + ":"})
		}
	} else {
		p.cache = cache.NewMemory(cache.MemoryConfig{})
	}
	cfg.Cache = p.cache
	if o.Secrets != "" {
		cfg.Secrets, err = secrets.ParseSecrets(o.Secrets)
		faults = append(faults, err)
	}
	faults = append(faults, o.senders(&cfg, p))
	if o.Dev && !isLoopback(o.Addr) {
		faults = append(faults, errors.New("--dev is for this machine: want --addr with localhost or a loopback address"))
	}
	if o.Dev && o.BaseURL == "" {
		cfg.BaseURL = "http://" + localhost(o.Addr)
	}
	adjust(&cfg)
	if p.db != nil {
		p.repo, err = usersrepo.New[*Account](cfg)
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		p.close()
		return nil, settingsError{err}
	}
	return p, nil
}

// settingsError tells faults of the library's settings by the flags that they come from.
type settingsError struct{ error }

// Error implements error.
func (e settingsError) Error() string { return flagNames.Replace(e.error.Error()) }

// Unwrap returns the faults.
func (e settingsError) Unwrap() error { return e.error }

var flagNames = strings.NewReplacer(
	"usersrepo: ", "",
	"BaseURL", "--base-url",
	"Notify.Mail is missing", "--smtp is missing",
	"Confirm.NoneOnRegister", "confirm.none_on_register in the file of --config",
	`Secrets are missing: secrets.ParseSecrets reads what "roster secret" prints`, `--secrets is missing: "roster secret" prints them`,
	"Config.Secrets", "--secrets",
	"store.Migrator.Up", "\"roster serve --dev\"",
)

// senders chooses who sends mails and SMS: the mailbox of development, unless there is a server or gateway.
func (o *Options) senders(cfg *usersrepo.Config, p *program) error {
	if o.Dev {
		p.mailbox = &notify.Memory{}
		cfg.Notify.Mail, cfg.Notify.SMS = p.mailbox, p.mailbox
	}
	var faults []error
	if o.SMTP != "" {
		settings, err := notify.ParseSMTP(o.SMTP)
		if err == nil {
			cfg.Notify.Mail, err = notify.NewSMTP(settings)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("--smtp: %w", err))
		}
	}
	if o.SMS != "" {
		headers := map[string]roster.Secret{}
		for name, value := range o.SMSHeaders {
			headers[name] = roster.Secret(value)
		}
		gateway, err := notify.NewGateway(notify.GatewayConfig{URL: o.SMS, Headers: headers, Development: o.Dev})
		if err != nil {
			faults = append(faults, fmt.Errorf("--sms: %w", err))
		}
		cfg.Notify.SMS = gateway
	}
	return errors.Join(faults...)
}
