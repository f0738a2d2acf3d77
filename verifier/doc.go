// Package verifier judges Roster's access tokens in a service that has neither its database nor its repo: by the public
// keys (RFC 7517) that Roster serves, and where wanted by what was revoked.
//
// The rules are those of the repo, by the same code: VerifyToken gives the same claims and errors. Without Config.Revocations
// it knows nothing of what ends tokens early: who was kicked is let in until the token is late, 10 minutes by default.
package verifier
