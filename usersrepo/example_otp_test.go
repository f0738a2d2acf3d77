package usersrepo_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
	"github.com/roster-go/roster/usersrepo"
)

// An invitation is a link with a long key, which is good once.
func ExampleUsersRepo_UseOTP() {
	ctx := context.Background()
	db, err := store.Open("sqlite::memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = db.Close() }()
	repo, err := usersrepo.New[*Customer](usersrepo.Config{DB: db, AutoMigrate: true, Development: true})
	if err != nil {
		fmt.Println(err)
		return
	}

	made, err := repo.CreateOTP(ctx, "invite", roster.OTPExpiration(time.Hour), roster.OTPData(map[string]string{"role": "editor"}))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(made.SecretKey, len(made.SecretKey.Reveal()))

	for range 2 {
		invitation, err := repo.UseOTP(ctx, "invite", made.SecretKey)
		if err != nil {
			fmt.Println(err)
			return
		}
		if invitation == nil {
			fmt.Println("no such invitation")
			return
		}
		fmt.Println(string(invitation.Data))
	}
	// Output:
	// [redacted] 20
	// {"role":"editor"}
	// no such invitation
}

// A short code is bound to its owner, and whoever guesses has to wait.
func ExampleUsersRepo_CheckOTP() {
	ctx := context.Background()
	db, err := store.Open("sqlite::memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = db.Close() }()
	repo, err := usersrepo.New[*Customer](usersrepo.Config{DB: db, AutoMigrate: true, Development: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	ann, err := repo.Create(ctx, &Customer{User: roster.User{Username: new("ann")}})
	if err != nil {
		fmt.Println(err)
		return
	}

	code, err := repo.CreateOTP(ctx, "pickup", roster.OTPOwner(ann.ID), roster.OTPKeyGenerator(roster.Digits(6)))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(repo.CheckOTP(ctx, "pickup", code.SecretKey, roster.OTPOwner(ann.ID)))
	fmt.Println(repo.CheckOTP(ctx, "pickup", "wrong", roster.OTPOwner(ann.ID)))

	_, err = repo.CheckOTP(ctx, "pickup", code.SecretKey, roster.OTPOwner(ann.ID))
	var wait roster.TimeoutError
	fmt.Println(errors.As(err, &wait), wait.Failures, errors.Is(err, roster.ErrTooManyRequests))
	// Output:
	// true <nil>
	// false <nil>
	// true 1 true
}
