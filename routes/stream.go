package routes

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
)

// stream writes the body of an answer.
type stream func(ctx context.Context, w io.Writer) error

// sendStream sends an answer while it is made. It may take longer than Config.Timeout as a whole, but not between two
// pieces. Until the first of them an error can be answered; after it the answer ends as answer.broken says, or the
// connection is cut, so that the client does not take what it got for all.
func (s *server) sendStream(c echo.Context, a answer) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.Request().Context()))
	defer cancel()
	for name, value := range a.header {
		c.Response().Header().Set(name, value)
	}
	w := &pieces{
		response: c.Response(), status: a.status, patience: s.cfg.Timeout,
		stalled: time.AfterFunc(s.cfg.Timeout, cancel), control: http.NewResponseController(c.Response().Writer),
	}
	defer w.stalled.Stop()
	buffer := bufio.NewWriterSize(w, 32<<10)
	err := a.stream(ctx, buffer)
	if err != nil && !c.Response().Committed {
		for name := range a.header {
			c.Response().Header().Del(name)
		}
		return err
	}
	if err != nil {
		s.cfg.Logger.WarnContext(ctx, "answer was cut short",
			slog.String("request_id", roster.ActorFrom(ctx).RequestID), slog.Any("error", err))
		if a.broken == nil {
			panic(http.ErrAbortHandler)
		}
		_, _ = buffer.WriteString(a.broken(s.problem(ctx, "", &endpoint{}, err).Code)) // Flush tells
	}
	if err := buffer.Flush(); err != nil {
		panic(http.ErrAbortHandler)
	}
	w.begin()
	return nil
}

// pieces writes an answer piece by piece, each within its time.
type pieces struct {
	response *echo.Response
	status   int
	patience time.Duration
	stalled  *time.Timer
	control  *http.ResponseController
}

func (w *pieces) Write(p []byte) (int, error) {
	w.begin()
	w.stalled.Reset(w.patience)
	_ = w.control.SetWriteDeadline(time.Now().Add(w.patience)) //nolint:forbidigo // of the network; not all writers have one
	return w.response.Write(p)
}

// begin sends the header, once.
func (w *pieces) begin() {
	if !w.response.Committed {
		w.response.WriteHeader(w.status)
	}
}
