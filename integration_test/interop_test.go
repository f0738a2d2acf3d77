package integration_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/routes"
	"github.com/roster-go/roster/tokens"
	"github.com/roster-go/roster/usersrepo"
)

// foreign are verifiers that others wrote: programs that read inputs and write what each library found.
type foreign [][]string

// verifierInput is what a verifier has to judge a token by.
type verifierInput struct {
	JWKS      string           `json:"jwks"`
	Issuer    string           `json:"issuer"`
	Audience  string           `json:"audience"`
	Algorithm tokens.Algorithm `json:"algorithm"`
	Token     string           `json:"token"`
}

// foreignVerifiers installs what is missing. Where it cannot be had the test is skipped; in CI it fails.
func foreignVerifiers(t *testing.T) foreign {
	t.Helper()
	lacking := func(what string, err error, output []byte) {
		t.Helper()
		message := fmt.Sprintf("%s: %v\n%s", what, err, output)
		if os.Getenv("CI") != "" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	python := func() string {
		for _, name := range []string{"/usr/bin/python3", "python3"} {
			if exec.CommandContext(t.Context(), name, "-c", "import jwt, cryptography").Run() == nil {
				return name
			}
		}
		return ""
	}
	var packages []string
	for _, name := range []string{"node", "npm"} {
		if _, err := exec.LookPath(name); err != nil {
			packages = append(packages, map[string]string{"node": "nodejs", "npm": "npm"}[name])
		}
	}
	if python() == "" {
		packages = append(packages, "python3-jwt", "python3-cryptography")
	}
	if len(packages) > 0 {
		if os.Geteuid() != 0 {
			lacking("node, npm, or PyJWT with cryptography is not installed", nil, nil)
		}
		// The lock is that of scripts/servers: a second update at a time would fail.
		install := exec.CommandContext(t.Context(), "flock", append([]string{
			"/etc/apt", "sh", "-c", `apt-get -qq update && apt-get -qq install -y "$@"`, "sh",
		}, packages...)...)
		install.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if output, err := install.CombinedOutput(); err != nil {
			lacking("install "+strings.Join(packages, " "), err, output)
		}
	}
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(filepath.Join("testdata", "interop"))); err != nil {
		t.Fatal(err)
	}
	install := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = folder
	if output, err := install.CombinedOutput(); err != nil {
		lacking("npm ci", err, output)
	}
	return foreign{
		{"node", filepath.Join(folder, "verify.mjs")},
		{python(), filepath.Join(folder, "verify.py")},
	}
}

// find returns what each library found of each input.
func (f foreign) find(t *testing.T, inputs []verifierInput) map[string][]string {
	t.Helper()
	text, err := json.Marshal(inputs)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, program := range f {
		var out, errs bytes.Buffer
		command := exec.CommandContext(t.Context(), program[0], program[1:]...)
		command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(text), &out, &errs
		if err := command.Run(); err != nil {
			t.Fatalf("%s: %v\n%s", program, err, &errs)
		}
		var part map[string][]string
		if err := json.Unmarshal(out.Bytes(), &part); err != nil {
			t.Fatalf("%s: %v\n%s", program, err, &out)
		}
		maps.Copy(found, part)
	}
	same(t, []string{"jose", "jsonwebtoken", "pyjwt"}, slices.Sorted(maps.Keys(found)))
	return found
}

// SESS-64, SESS-63, SEC-55: what others wrote verifies our tokens by nothing but the key set that is served.
func TestForeignVerifiers(t *testing.T) {
	t.Parallel()
	verifiers := foreignVerifiers(t)
	type party struct {
		*site
		input verifierInput
		guest guest
	}
	var parties []party
	for _, algorithm := range []tokens.Algorithm{tokens.ES256, tokens.EdDSA, tokens.RS256} {
		s := openSite(t, rostertest.Open(t, rostertest.SQLite), routes.Config{}, func(cfg *usersrepo.Config) {
			cfg.Session.Algorithm, cfg.Session.Audience = algorithm, "shop"
		})
		g := s.guest(t, "anna")
		parties = append(parties, party{s, verifierInput{
			JWKS: s.url + "/api/.well-known/jwks.json", Issuer: "https://app.example", Audience: "shop", Algorithm: algorithm, Token: g.access.Reveal(),
		}, g})
	}
	var names, subjects []string
	var inputs []verifierInput
	expect := func(p party, what string, token roster.Secret, change func(*verifierInput)) {
		in := p.input
		in.Token = token.Reveal()
		change(&in)
		inputs, names = append(inputs, in), append(names, fmt.Sprintf("%s %s", in.Algorithm, what))
		subjects = append(subjects, p.guest.ID.String())
	}
	const good = "good"
	refusals := map[string]map[string]string{
		"jose": {
			"changed": "ERR_JWS_SIGNATURE_VERIFICATION_FAILED", "of another audience": `unexpected "aud"`, "of another issuer": `unexpected "iss"`,
			"of a revoked key": "ERR_JWKS_NO_MATCHING_KEY",
		},
		"jsonwebtoken": {
			"changed": "invalid signature", "of another audience": "jwt audience invalid", "of another issuer": "jwt issuer invalid",
			"of a revoked key": "SigningKeyNotFoundError",
		},
		"pyjwt": {
			"changed": "InvalidSignatureError", "of another audience": "InvalidAudienceError", "of another issuer": "InvalidIssuerError",
			"of a revoked key": "Unable to find a signing key",
		},
	}
	judge := func(t *testing.T) {
		t.Helper()
		for library, found := range verifiers.find(t, inputs) {
			same(t, len(inputs), len(found))
			for i, got := range found {
				_, what, _ := strings.Cut(names[i], " ")
				refusal, isBad := refusals[library][what]
				switch {
				case library == "jsonwebtoken" && inputs[i].Algorithm == tokens.EdDSA:
					same(t, "unsupported", got)
				case isBad && !(strings.HasPrefix(got, "refused: ") && strings.Contains(got, refusal)):
					t.Errorf("%s: a token %s: %s, want it refused as %s", library, names[i], got, refusal)
				case !isBad && got != subjects[i]:
					t.Errorf("%s: a token %s: %s, want its subject", library, names[i], got)
				}
			}
		}
		names, subjects, inputs = nil, nil, nil
	}
	unchanged := func(*verifierInput) {}
	t.Run("SESS-64 take the tokens of each algorithm, and refuse what is wrong with others", func(t *testing.T) {
		for _, p := range parties {
			expect(p, good, p.guest.access, unchanged)
			expect(p, "changed", promoted(t, p.guest.access), unchanged)
			expect(p, "of another audience", p.guest.access, func(in *verifierInput) { in.Audience = "bank" })
			expect(p, "of another issuer", p.guest.access, func(in *verifierInput) { in.Issuer = "https://evil.example" })
		}
		judge(t)
	})
	t.Run("SESS-61 SEC-55 take tokens of the former key and of the new one after a rotation", func(t *testing.T) {
		for i := range parties {
			p := &parties[i]
			if _, err := p.DB.ExecContext(t.Context(), "UPDATE roster_keys SET created_at = $1 WHERE state = 'next'", p.Clock.Now().Add(-time.Hour)); err != nil {
				t.Fatal(err)
			}
			if err := p.RotateKeys(t.Context()); err != nil {
				t.Fatal(err)
			}
			expect(*p, good, p.guest.access, unchanged)
			expect(*p, good, p.issue(t, p.guest.ID).AccessToken, unchanged)
		}
		judge(t)
	})
	t.Run("SESS-63 SEC-55 refuse the tokens of a revoked key", func(t *testing.T) {
		for _, p := range parties {
			revoked := p.issue(t, p.guest.ID).AccessToken
			if err := p.RevokeKey(t.Context(), kidOf(t, revoked)); err != nil {
				t.Fatal(err)
			}
			expect(p, "of a revoked key", revoked, unchanged)
			expect(p, good, p.issue(t, p.guest.ID).AccessToken, unchanged)
			expect(p, good, p.guest.access, unchanged) // of the retired one
		}
		judge(t)
	})
}

// promoted gives a token another permission, and leaves the signature.
func promoted(t *testing.T, token roster.Secret) roster.Secret {
	t.Helper()
	parts := strings.Split(token.Reveal(), ".")
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	more := strings.Replace(string(claims), `"permissions":[]`, `"permissions":["*"]`, 1)
	if more == string(claims) {
		t.Fatalf("nothing to change in %s", claims)
	}
	return roster.Secret(strings.Join([]string{parts[0], base64.RawURLEncoding.EncodeToString([]byte(more)), parts[2]}, "."))
}
