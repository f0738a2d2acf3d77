package notify

import (
	"context"
	"log/slog"
)

// Log is a sender that writes messages to a log in full, links and codes included. It is for development only.
type Log struct{ logger *slog.Logger }

// NewLog returns a sender that writes to logger, at level Info.
func NewLog(logger *slog.Logger) *Log { return &Log{logger: logger} }

// Send writes the message. It never fails.
func (l *Log) Send(ctx context.Context, m Message) error {
	l.logger.InfoContext(ctx, "message", slog.String("id", m.ID.String()), slog.String("kind", m.Kind),
		slog.String("channel", string(m.Channel)), slog.String("to", m.To), slog.String("language", m.Language),
		slog.String("subject", m.Subject), slog.String("text", m.Text))
	return nil
}
