package main

import (
	"crypto/md5" //nolint:gosec // it makes names
	"encoding/hex"
	"fmt"
	"strings"
)

// Whoever searches finds so many, however many users there are.
const (
	samePrefix  = 100 // users whose e-mail addresses begin alike
	sameCompany = 40
)

// Names are md5 in letters, so that SQL makes the same as Go.
const letters = "aeionrtlsdmkubpg"

func sqlWord(seed string, length int) string {
	return fmt.Sprintf("translate(substr(md5(%s), 1, %d), '0123456789abcdef', '%s')", seed, length, letters)
}

func word(seed string, length int) string {
	sum := md5.Sum([]byte(seed)) //nolint:gosec // see above
	return strings.Map(func(digit rune) rune {
		return rune(letters[strings.IndexRune("0123456789abcdef", digit)])
	}, hex.EncodeToString(sum[:])[:length])
}

// usernameOf, prefixOf and companyOf are names that seedSQL makes.
func usernameOf(n int) string    { return word(fmt.Sprintf("u%d", n), 6) + fmt.Sprint(n) }
func prefixOf(group int) string  { return word(fmt.Sprintf("p%d", group), 7) + "." }
func companyOf(group int) string { return word(fmt.Sprintf("c%d", group), 10) }

// emailOf is the address of a user among so many.
func emailOf(n, users int) string {
	return fmt.Sprintf("%s%s%d@example.com", prefixOf(n%(users/samePrefix)), word(fmt.Sprintf("e%d", n), 6), n)
}

// seedSQL stores users 1 to the number given, each a minute younger than the one before. The canonical columns and
// the text that is searched are as the program has them: a line for each value.
func seedSQL(users int, hash string) string {
	return strings.NewReplacer(
		"{users}", fmt.Sprint(users), "{people}", fmt.Sprint(people), "{hash}", hash,
		"{username}", sqlWord("'u' || n", 6)+" || n",
		"{email}", sqlWord(fmt.Sprintf("'p' || n %% %d", users/samePrefix), 7)+" || '.' || "+sqlWord("'e' || n", 6)+" || n || '@example.com'",
		"{name}", "initcap("+sqlWord("'f' || n % 500", 5)+" || ' ' || "+sqlWord("'l' || n", 8)+")",
		"{company}", "initcap("+sqlWord(fmt.Sprintf("'c' || n %% %d", users/sameCompany), 10)+") || ' Ltd'",
	).Replace(seed)
}

const seed = `
WITH drawn AS (
	SELECT n, date_trunc('milliseconds', now()) - ({users} - n) * interval '1 minute' AS at,
		{username} AS username, {email} AS email, {name} AS display_name, {company} AS company
	FROM generate_series(1, {users}) AS n
), added AS (
	INSERT INTO users (id, username, username_canonical, email, email_canonical, email_verified_at, permissions,
		created_at, updated_at, display_name, company, plan, search)
	SELECT cast(lpad(to_hex(cast(extract(epoch FROM at) * 1000 AS bigint)), 12, '0') || '7' || substr(md5('i' || n), 1, 3)
			|| 'a' || substr(md5('i' || n), 4, 15) AS uuid),
		username, username, email, email, at, cast(CASE WHEN n <= {people} THEN '["users:read"]' ELSE '[]' END AS jsonb),
		at, at, display_name, company, CASE n % 4 WHEN 0 THEN 'pro' ELSE 'free' END,
		concat_ws(E'\n', username, email, lower(display_name), lower(company))
	FROM drawn
	ORDER BY n
	RETURNING id, created_at
)
INSERT INTO roster_passwords (user_id, hash, changed_at) SELECT id, '{hash}', created_at FROM added`
