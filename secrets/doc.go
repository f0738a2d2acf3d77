// Package secrets derives every symmetric key of Roster from the few master secrets of the program.
//
// A [Ring] holds the secrets. The first is current: new values are made under it. The others are for reading what
// was made before, so a secret is changed without downtime: put a new one in front, and take the old one away
// when nothing made under it is left. Until every process has the new one, add it at the end first.
//
// For each [Purpose] two keys are derived from each secret by HKDF with SHA-256 (RFC 5869), one for MACs and one
// for sealing. So a value that was made for one purpose means nothing for another.
package secrets
