// Package tokens makes and reads the two tokens of a session: the access token, a signed JWT (RFC 9068), and the
// refresh token, an opaque string whose secret is stored as a hash only.
//
// A [Set] is a snapshot of the signing keys; an [Issuer] signs with its active one and verifies with any that is
// neither revoked nor past its end. A [RefreshCodec] writes and reads refresh tokens. Nothing here reads a clock, a
// database or the network: when keys change, the program swaps the set by [Issuer.Use].
package tokens
