package routes

import (
	"errors"
	"slices"

	"github.com/roster-go/roster"
)

// UserRepo is what the endpoints for users call.
type UserRepo[U roster.Model] interface {
	repoOf
	accountRepo[U]
	leaveRepo
	socialRepo
	sessionRepo
	confirmRepo[U]
	contactRepo[U]
	usernameRepo[U]
	passwordRepo[U]
	codeRepo[U]
}

func userEndpoints[U roster.Model](repo UserRepo[U], v *view[U]) []endpoint {
	return slices.Concat(
		accountEndpoints(repo, v),
		leaveEndpoints(repo),
		socialEndpoints(repo),
		sessionEndpoints(repo),
		confirmEndpoints(repo, v),
		contactEndpoints(repo, v),
		usernameEndpoints(repo, v),
		passwordEndpoints(repo),
		codeEndpoints(repo, v),
	)
}

// AdminRepo is what the endpoints for administrators call.
type AdminRepo[U roster.Model] interface {
	repoOf
	usersRepo[U]
	userSessionsRepo
	userConfirmRepo[U]
	userPasswordRepo
	managementRepo[U]
	lockoutRepo
	messagesRepo
	auditRepo
	transferRepo
}

func adminEndpoints[U roster.Model](repo AdminRepo[U], v *view[U]) []endpoint {
	show := users[U]{repo, v}.show
	return slices.Concat(
		usersEndpoints(repo, v),
		userSessionsEndpoints(repo),
		userConfirmEndpoints(repo, show),
		userPasswordEndpoints(repo),
		managementEndpoints(repo, show),
		lockoutEndpoints(repo),
		messagesEndpoints(repo),
		auditEndpoints(repo),
		transferEndpoints(repo),
	)
}

func isCode(err error, code roster.Code) bool {
	return errors.Is(err, &roster.Error{Code: code})
}
