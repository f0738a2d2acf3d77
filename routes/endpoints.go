package routes

import (
	"errors"

	"github.com/roster-go/roster"
)

// UserRepo is what the endpoints for users call.
type UserRepo[U roster.Model] interface {
	repoOf
	accountRepo[U]
	sessionRepo
	confirmRepo[U]
	contactRepo[U]
	usernameRepo[U]
	passwordRepo[U]
}

func userEndpoints[U roster.Model](repo UserRepo[U], v *view[U]) []endpoint {
	table := accountEndpoints(repo, v)
	table = append(table, sessionEndpoints(repo)...)
	table = append(table, confirmEndpoints(repo, v)...)
	table = append(table, contactEndpoints(repo, v)...)
	table = append(table, usernameEndpoints(repo, v)...)
	return append(table, passwordEndpoints(repo)...)
}

// AdminRepo is what the endpoints for administrators call.
type AdminRepo[U roster.Model] interface {
	repoOf
	usersRepo[U]
	userSessionsRepo
	userConfirmRepo[U]
	messagesRepo
}

func adminEndpoints[U roster.Model](repo AdminRepo[U], v *view[U]) []endpoint {
	table := usersEndpoints(repo, v)
	table = append(table, userSessionsEndpoints(repo)...)
	table = append(table, userConfirmEndpoints(repo, v)...)
	return append(table, messagesEndpoints(repo)...)
}

func isCode(err error, code roster.Code) bool {
	return errors.Is(err, &roster.Error{Code: code})
}
