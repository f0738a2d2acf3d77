package mixins

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/secrets"
)

// Site implements SessionOps.
func (m Session[U]) Site() roster.Site {
	if m.core == nil {
		return roster.Site{}
	}
	s := m.core.Settings
	return roster.Site{BaseURL: s.BaseURL, Development: s.Development, DeviceTTL: s.Protection.DeviceTTL}
}

// CheckCSRF implements SessionOps.
func (m Session[U]) CheckCSRF(ctx context.Context, claims roster.Claims, token roster.Secret) error {
	c := m.core
	if _, err := c.enter(ctx, "CheckCSRF"); err != nil {
		return err
	}
	for _, mac := range c.Secrets.MACs(secrets.CSRF, csrfParts(claims.SessionID, claims.Epoch)...) {
		if subtle.ConstantTimeCompare([]byte(csrfText(mac).Reveal()), []byte(token.Reveal())) == 1 {
			return nil
		}
	}
	return roster.ErrCSRFFailed
}

// csrfToken is the same for all tabs of a session, until the user's epoch moves on: so a password change renews it, and a
// refresh in one tab does not fail what another one is about to send.
func (c *Core[U]) csrfToken(session roster.ID, epoch int64) roster.Secret {
	return csrfText(c.Secrets.MAC(secrets.CSRF, csrfParts(session, epoch)...))
}

func csrfText(mac []byte) roster.Secret {
	return roster.Secret(base64.RawURLEncoding.EncodeToString(mac))
}

func csrfParts(session roster.ID, epoch int64) [][]byte {
	return [][]byte{session[:], binary.BigEndian.AppendUint64(nil, uint64(epoch))} //nolint:gosec // never negative
}
