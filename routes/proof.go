package routes

import (
	"net/http"
	"strings"

	"github.com/roster-go/roster"
)

// proof is what a request has to say who asks.
type proof struct {
	token  roster.Secret
	given  bool
	err    error // of what is given and can be no token
	header bool  // it is the Authorization header: cookies are not looked at then
	cookie bool  // it is the access cookie
}

func proofOf(r *http.Request, b *browser) proof {
	token, given, err := bearer(r)
	if given || b == nil {
		return proof{token: token, given: given, err: err, header: given}
	}
	token, given, ok := b.read(r, accessCookie)
	if !ok {
		err = roster.ErrInvalidToken
	}
	return proof{token: token, given: given, err: err, cookie: given}
}

// bearer reads the Authorization header (RFC 6750, section 2.1): one of them, one space, the scheme in any case.
func bearer(r *http.Request) (token roster.Secret, given bool, err error) {
	values := r.Header["Authorization"]
	if len(values) == 0 {
		return "", false, nil
	}
	scheme, text, ok := strings.Cut(values[0], " ")
	if len(values) > 1 || !ok || !strings.EqualFold(scheme, "Bearer") || text == "" || strings.IndexByte(text, ' ') >= 0 || strings.IndexByte(text, '\t') >= 0 {
		return "", true, roster.ErrInvalidToken
	}
	return roster.Secret(text), true, nil
}
