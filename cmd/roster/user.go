package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/secrets"
	"github.com/roster-go/roster/usersrepo"
)

type userCommand struct {
	CreateSuperuser createSuperuser `cmd:"" help:"Create a user who may do everything."`
}

type createSuperuser struct {
	Email         string `help:"E-mail address." placeholder:"ADDRESS" required:""`
	Username      string `help:"Username." placeholder:"NAME"`
	PasswordStdin bool   `help:"Read the password from the first line of the standard input." required:""`
}

// maxPassword bounds what is read as a password, in bytes.
const maxPassword = 8192

// Run creates the superuser.
func (c createSuperuser) Run(ctx context.Context, o *Options, t terminal) error {
	line, err := bufio.NewReader(io.LimitReader(t.in, maxPassword)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the password: %w", err)
	}
	password := roster.Secret(strings.TrimRight(line, "\r\n"))
	p, err := o.open(ctx, t, sendsNothing)
	if err != nil {
		return err
	}
	defer p.close()
	user := &Account{User: roster.User{Email: &c.Email}}
	if c.Username != "" {
		user.Username = &c.Username
	}
	ctx = roster.WithActor(ctx, roster.Actor{Kind: roster.ActorCLI})
	user, err = p.repo.CreateSuperuser(ctx, user,
		roster.WithPassword(password), roster.WithPasswordPolicy(), roster.WithEmailVerified(), roster.AllowReserved())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(t.out, user.ID)
	return err
}

// sendsNothing asks for none of the settings that mails want.
func sendsNothing(cfg *usersrepo.Config) {
	cfg.BaseURL = cmp.Or(cfg.BaseURL, "https://localhost")
	if cfg.Notify.Mail == nil {
		cfg.Confirm.NoneOnRegister, cfg.Account.PasswordlessRegistration = true, false
	}
}

type secretCommand struct {
	ID string `arg:"" default:"k1" help:"The id of the secret; k1 if left out."`
}

// Run prints a fresh secret.
func (c secretCommand) Run(t terminal) error {
	secret, err := secrets.Generate(c.ID)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(t.out, secret.Reveal())
	return err
}
