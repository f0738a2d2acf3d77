package tokens

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/roster-go/roster"
)

const (
	// requiredClaims is how many there are beside superuser, which Sign leaves out when false.
	requiredClaims = 12
	// maxSeconds is the last second of the year 9999, the last that RFC 3339 can write.
	maxSeconds = 253402300799
)

// parseClaims reads what Sign writes. Each claim has one type: a number is never a string or a fraction.
func parseClaims(data []byte) (roster.Claims, error) {
	var c roster.Claims
	found := 0
	err := members(data, func(name, value string) error {
		found++
		ok := false
		switch name {
		case "iss":
			c.Issuer, ok = unquote(value)
		case "aud":
			c.Audience, ok = unquote(value)
		case "sub":
			c.Subject, ok = parseID(value)
		case "sid":
			c.SessionID, ok = parseID(value)
		case "jti":
			c.TokenID, ok = parseID(value)
		case "exp":
			c.ExpiresAt, ok = parseSeconds(value)
		case "nbf":
			c.NotBefore, ok = parseSeconds(value)
		case "iat":
			c.IssuedAt, ok = parseSeconds(value)
		case "auth_time":
			c.AuthTime, ok = parseSeconds(value)
		case "epoch":
			c.Epoch, c.GlobalEpoch, ok = parseEpochs(value)
		case "amr":
			c.AMR, ok = parseStrings(value)
		case "permissions":
			c.Permissions, ok = parseStrings(value)
		case "superuser":
			found--
			c.Superuser, ok = value == "true", value == "true" || value == "false"
		default:
			found--
			ok = parseExtra(&c, name, value)
		}
		if !ok {
			return fmt.Errorf("claim %q is not as it must be", name)
		}
		return nil
	})
	if err == nil && found < requiredClaims {
		err = errors.New("claims are missing")
	}
	return c, err
}

func parseID(value string) (roster.ID, bool) {
	text, ok := unquote(value)
	if !ok {
		return roster.ID{}, false
	}
	id, err := roster.ParseID(text)
	return id, err == nil
}

// parseSeconds reads a NumericDate (RFC 7519, section 2) of whole seconds, from 1970 to 9999.
func parseSeconds(value string) (time.Time, bool) {
	n, ok := parseWhole(value)
	return time.Unix(n, 0).UTC(), ok && n <= maxSeconds
}

func parseWhole(value string) (int64, bool) {
	n, err := strconv.ParseUint(value, 10, 63)
	return int64(n), err == nil
}

func parseEpochs(value string) (user, global int64, ok bool) {
	var epochs []int64
	ok = parseArray(value, func(element string) bool {
		n, whole := parseWhole(element)
		epochs = append(epochs, n)
		return whole
	})
	if !ok || len(epochs) != 2 {
		return 0, 0, false
	}
	return epochs[0], epochs[1], true
}

func parseStrings(value string) (list []string, ok bool) {
	ok = parseArray(value, func(element string) bool {
		text, ok := unquote(element)
		list = append(list, text)
		return ok
	})
	return list, ok
}

func parseArray(value string, each func(element string) bool) bool {
	if value[0] != '[' {
		return false
	}
	w := walker{text: value}
	return w.array(1, func(element string) error {
		if !each(element) {
			return errors.New("has an element of another type")
		}
		return nil
	}) == nil
}

// parseExtra reads a claim of the program. One with a reserved name has a meaning that this release lacks, so the
// token is refused rather than half understood.
func parseExtra(c *roster.Claims, name, value string) bool {
	if reserved(name) {
		return false
	}
	var v any
	if err := json.Unmarshal([]byte(value), &v); err != nil {
		return false
	}
	if c.Extra == nil {
		c.Extra = map[string]any{}
	}
	c.Extra[name] = v
	return true
}
