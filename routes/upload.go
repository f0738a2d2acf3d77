package routes

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/transfer"
)

// The bounds of a file that is sent.
const (
	maxUpload      = 32 << 20
	maxUploadLines = 10_000
	pieceOfUpload  = 256 << 10
)

// file is what was sent, in pieces: it is never copied to be made larger, and no more is kept than has come.
type file struct {
	format transfer.Format
	pieces [][]byte
}

func (f file) open() io.Reader {
	readers := make([]io.Reader, len(f.pieces))
	for i, piece := range f.pieces {
		readers[i] = bytes.NewReader(piece)
	}
	return io.MultiReader(readers...)
}

// maxBody bounds the body of a request.
func (s *server) maxBody(e *endpoint) int64 {
	if e.upload {
		return max(maxUpload, s.cfg.MaxBody)
	}
	return s.cfg.MaxBody
}

// within is the time for the work on a request. That on a file is as long as the file: each statement has its limit, and
// it ends when the client goes.
func (s *server) within(ctx context.Context, e *endpoint) (context.Context, context.CancelFunc) {
	if e.upload {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, s.cfg.Timeout+e.wait)
}

// handleUpload is handle for an endpoint that takes a file. Who asks is told first: nobody else sends that much.
func (s *server) handleUpload(c echo.Context, r *request, e *endpoint) (answer, error) {
	in, err := s.admit(r.Context(), r.Request, e)
	if err != nil {
		return answer{}, err
	}
	ctx := in.ctx
	var isFile bool
	if r.file.format, isFile = formatOf(r.Header.Values("Content-Type")); !isFile {
		return answer{}, faultOf(roster.CodeUnsupportedMedia)
	}
	if r.ContentLength > s.maxBody(e) {
		return answer{}, faultOf(roster.CodeBodyTooLarge)
	}
	control := http.NewResponseController(c.Response().Writer)
	if r.file.pieces, err = readPieces(patient{r.Body, control, s.cfg.Timeout}); err != nil {
		return answer{}, err
	}
	// Neither is to end the work: the server's own limits are those of short requests.
	_, _ = control.SetReadDeadline(time.Time{}), control.SetWriteDeadline(time.Time{})
	a, err := e.handle(ctx, r)
	_ = control.SetWriteDeadline(time.Now().Add(s.cfg.Timeout)) //nolint:forbidigo // of the network
	return a, err
}

func formatOf(values []string) (transfer.Format, bool) {
	if len(values) != 1 {
		return "", false
	}
	kind, parameters, err := mime.ParseMediaType(values[0])
	if charset, given := parameters["charset"]; err != nil || given && !strings.EqualFold(charset, "utf-8") {
		return "", false
	}
	switch kind {
	case "application/x-ndjson":
		return transfer.NDJSON, true
	case "text/csv":
		return transfer.CSV, true
	}
	return "", false
}

// patient reads what a client sends, each piece within its time.
type patient struct {
	io.Reader
	control  *http.ResponseController
	patience time.Duration
}

func (p patient) Read(b []byte) (int, error) {
	_ = p.control.SetReadDeadline(time.Now().Add(p.patience)) //nolint:forbidigo // of the network; not all readers have one
	return p.Reader.Read(b)
}

func readPieces(in io.Reader) ([][]byte, error) {
	var pieces [][]byte
	piece := make([]byte, 0, pieceOfUpload)
	for {
		n, err := in.Read(piece[len(piece):cap(piece)])
		piece = piece[:len(piece)+n]
		if len(piece) == cap(piece) || err != nil {
			pieces, piece = append(pieces, piece), make([]byte, 0, pieceOfUpload)
		}
		var tooLarge *http.MaxBytesError
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			return pieces, nil
		case errors.As(err, &tooLarge):
			return nil, faultOf(roster.CodeBodyTooLarge)
		default:
			return nil, faultOf(roster.CodeMalformedBody).WithCause(err)
		}
	}
}
