package routes

import (
	"context"
	"io"
	"iter"
	"net/http"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/transfer"
)

// transferRepo is what the endpoints of taking users out and in call.
type transferRepo interface {
	transfer.Exporter
	ImportUsers(ctx context.Context, lines iter.Seq2[roster.ImportLine, error], options roster.ImportOptions) (roster.ImportReport, error)
}

// transferEndpoints are ADMIN-46 and ADMIN-47.
func transferEndpoints(repo transferRepo) []endpoint {
	x := transfers{repo}
	return []endpoint{
		{name: "export", method: http.MethodGet, path: "/export", auth: AuthSession, permission: roster.PermissionExport, fresh: true, query: true, handle: x.export},
		{name: "export_search", method: http.MethodPost, path: "/export", auth: AuthSession, permission: roster.PermissionExport, fresh: true, handle: x.exportSearch},
		{name: "import", method: http.MethodPost, path: "/import", auth: AuthSession, permission: roster.PermissionImport, fresh: true, query: true, upload: true, handle: x.importFile},
	}
}

type transfers struct{ repo transferRepo }

// pagingOnly are parts of a query that a file has none of.
var pagingOnly = []string{"sort", "limit", "cursor", "total"}

func (x transfers) export(_ context.Context, r *request) (answer, error) {
	values, err := valuesOf(r.URL)
	if err != nil {
		return answer{}, err
	}
	p := &parameters{values: values}
	format := transfer.NDJSON
	if values.Has("format") {
		format = readFormat(p.text("format"), &p.faults)
	}
	hashes := p.boolean("hashes")
	for _, name := range pagingOnly {
		if values.Has(name) {
			p.faults.Add(name, roster.Invalid)
		}
	}
	if err := p.faults.Err(); err != nil {
		return answer{}, err
	}
	values.Del("format")
	values.Del("hashes")
	return x.file(format, queryOfValues(values), hashes, "")
}

func (x transfers) exportSearch(ctx context.Context, r *request) (answer, error) {
	reason := roster.ActorFrom(withReason(ctx, r.body)).Reason
	format := transfer.NDJSON
	if text := r.body.text("format"); text != nil {
		format = readFormat(*text, &r.body.faults)
	}
	hashes := r.body.boolean("hashes")
	for _, name := range pagingOnly {
		if r.body.has(name) {
			r.body.fault(name, roster.Invalid)
			delete(r.body.raw, name)
		}
	}
	q, err := queryOfBody(r.body)
	if err != nil {
		return answer{}, err
	}
	return x.file(format, q, hashes, reason)
}

func (x transfers) file(format transfer.Format, q roster.Query, hashes *bool, reason string) (answer, error) {
	options := roster.ExportOptions{Hashes: hashes != nil && *hashes}
	return fileOf("users", format, func(ctx context.Context, w io.Writer) error {
		actor := roster.ActorFrom(ctx)
		actor.Reason = reason
		return transfer.Export(roster.WithActor(ctx, actor), w, format, x.repo, q, options)
	})
}

// importFile imports a file that can be imported as a whole: not the beginning of one that is too long.
func (x transfers) importFile(ctx context.Context, r *request) (answer, error) {
	p, err := parametersOf(r.URL, "dry_run", "on_conflict", "send")
	if err != nil {
		return answer{}, err
	}
	options := roster.ImportOptions{
		DryRun: true, OnConflict: roster.OnConflict(p.text("on_conflict")), Send: roster.ImportSend(p.text("send")),
	}
	if dryRun := p.boolean("dry_run"); dryRun != nil {
		options.DryRun = *dryRun
	}
	if err := p.faults.Err(); err != nil {
		return answer{}, err
	}
	if err := checkLines(r.file); err != nil {
		return answer{}, err
	}
	report, err := x.repo.ImportUsers(ctx, transfer.Lines(r.file.open(), r.file.format), options)
	if err != nil {
		return answer{}, err
	}
	return ok(report)
}

func checkLines(f file) error {
	lines := 0
	for _, err := range transfer.Lines(f.open(), f.format) {
		if err != nil {
			return err
		}
		if lines++; lines > maxUploadLines {
			return roster.ErrValidationFailed.WithFields(roster.FieldError{
				Code: roster.TooLong, Message: "the file has too many lines", Params: map[string]any{"max": maxUploadLines},
			})
		}
	}
	if lines == 0 {
		return roster.ErrValidationFailed.WithFields(roster.FieldError{Code: roster.Required, Message: "the file is empty"})
	}
	return nil
}
