// Package roster is the vocabulary of Roster, user management that a Go program embeds: the user, what each
// operation takes and gives, who is asking, and what can go wrong.
//
// Programs embed usersrepo.UsersRepo in a type of their own and serve it with the routes package; both speak in
// the types of this package, which needs the standard library and a UUID library only.
package roster
