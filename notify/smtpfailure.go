package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
)

// mailFailure classifies what a server says to a recipient or a content: from 500 on it will say it again. The codes
// about logging in (RFC 4954, section 6) can come here too, and are about all mails.
func mailFailure(doing string, err error) error {
	switch code := smtpCode(err); {
	case code == 530, code == 534, code == 535, code == 538:
		return Misconfigured(fmt.Errorf("%s: %w", doing, err))
	case code >= 500:
		return Permanent(fmt.Errorf("%s: %w", doing, err))
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// sessionFailure classifies what a server says before it knows the recipient: it says it to every mail.
func sessionFailure(doing string, err error) error {
	err = fmt.Errorf("%s: %w", doing, err)
	if smtpCode(err) >= 500 {
		return Misconfigured(err)
	}
	return err
}

// tlsFailure tells a server that cannot be trusted, or speaks no TLS that we do, from a network that fails.
func tlsFailure(err error) error {
	err = fmt.Errorf("start tls: %w", err)
	op, isOp := errors.AsType[*net.OpError](err)
	switch code := smtpCode(err); {
	case 400 <= code && code < 500, isOp && (op.Op == "read" || op.Op == "write"),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return Misconfigured(err)
}

func smtpCode(err error) int {
	if answer, ok := errors.AsType[*textproto.Error](err); ok {
		return answer.Code
	}
	return 0
}
