package mixins

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// Lines are looked at in batches, where nothing keeps their users from being stored together.
const (
	importBatch      = 500
	importBatchBytes = 1 << 20
)

// maxFailures bounds how many failures a report lists, and maxFaults how many of one line.
const (
	maxFailures = 100
	maxFaults   = 20
)

// ImportUsers implements TransferOps.
func (m Transfer[U]) ImportUsers(ctx context.Context, lines iter.Seq2[roster.ImportLine, error], options roster.ImportOptions) (roster.ImportReport, error) {
	c := m.core
	report := roster.ImportReport{Failed: []roster.ImportFailure{}}
	ctx, err := c.enter(ctx, "ImportUsers")
	if err != nil {
		return report, err
	}
	if err := checkImport(lines, options); err != nil {
		return report, err
	}
	if _, err := c.judge(ctx, roster.PermissionImport, roster.ID{}); err != nil {
		return report, err
	}
	if options.OnConflict == roster.ConflictUpdates {
		if _, err := c.judge(ctx, roster.PermissionUpdateUsers, roster.ID{}); err != nil {
			return report, err
		}
	}
	x := &importer[U]{core: c, options: options, report: report, claims: map[roster.ID]int{}, names: map[string]int{}}
	err = x.run(ctx, lines)
	if told := x.record(ctx, err); err == nil {
		err = told
	}
	return x.report, err
}

func checkImport(lines iter.Seq2[roster.ImportLine, error], o roster.ImportOptions) error {
	if lines == nil {
		return roster.ErrInvalidInput.WithMessage("no lines were given")
	}
	var faults roster.FieldErrors
	switch o.OnConflict {
	case "", roster.ConflictFails, roster.ConflictSkips, roster.ConflictUpdates:
	default:
		faults.Add("on_conflict", roster.Invalid)
	}
	switch o.Send {
	case "", roster.SendNone, roster.SendConfirm, roster.SendPasswordSet:
	default:
		faults.Add("send", roster.Invalid)
	}
	return faults.Err()
}

// importer is an import that runs.
type importer[U roster.Model] struct {
	core    *Core[U]
	options roster.ImportOptions
	report  roster.ImportReport

	// claims are the lines by the users whom they were about: nobody is imported twice. names has the identifiers that
	// are not in the database, and would be: of the group, and of a dry run.
	claims map[roster.ID]int
	names  map[string]int

	group []*newUser[U] // to be stored together
}

// run imports all lines, until an error that is not of a line.
func (x *importer[U]) run(ctx context.Context, lines iter.Seq2[roster.ImportLine, error]) error {
	var batch []*line[U]
	size := 0
	for raw, err := range lines {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return errors.Join(x.importBatch(ctx, batch), err)
		}
		x.report.Lines++
		batch, size = append(batch, x.read(raw)), size+sizeOf(raw)
		if !x.together() || len(batch) == importBatch || size > importBatchBytes {
			if err := x.importBatch(ctx, batch); err != nil {
				return err
			}
			batch, size = batch[:0], 0
		}
	}
	return x.importBatch(ctx, batch)
}

// importBatch imports some lines, in their order.
func (x *importer[U]) importBatch(ctx context.Context, batch []*line[U]) error {
	if len(batch) == 0 || ctx.Err() != nil {
		return ctx.Err()
	}
	found, err := x.find(ctx, batch)
	if err != nil {
		return err
	}
	changed := false // since then
	for _, l := range batch {
		if x.inGroup(l) {
			changed = true
			if err := x.storeGroup(ctx); err != nil {
				return err
			}
		}
		if changed {
			if found, err = x.find(ctx, []*line[U]{l}); err != nil {
				return err
			}
		}
		v := x.decide(l, found)
		if v.outcome == creates && x.together() {
			if n := x.newUser(ctx, l); n != nil {
				x.addToGroup(n)
				continue
			}
		}
		changed = changed || len(x.group) > 0
		if err := x.storeGroup(ctx); err != nil {
			return err
		}
		wrote, err := x.settle(ctx, l, v)
		if err != nil {
			return err
		}
		changed = changed || wrote
	}
	return x.storeGroup(ctx)
}

// settle does what was decided about a line, by itself, and reports it.
func (x *importer[U]) settle(ctx context.Context, l *line[U], v verdict[U]) (wrote bool, err error) {
	switch v.outcome {
	case fails:
		x.fail(l, v.faults)
		return false, nil
	case skips:
		x.report.Skipped++
		return false, nil
	case staysAsIs:
		x.report.Unchanged++
		x.claims[v.target.Base().ID] = l.number
		return false, nil
	case creates, updates:
	}
	written, err := x.writeLine(ctx, l, v)
	if err != nil {
		faults, err := x.faultsOf(ctx, l, err)
		x.fail(l, faults)
		return false, err
	}
	x.claim(l, written)
	if v.outcome == creates {
		x.report.Created++
	} else {
		x.report.Updated++
	}
	return true, nil
}

// claim notes whom a line was about.
func (x *importer[U]) claim(l *line[U], u U) {
	x.claims[u.Base().ID] = l.number
	if !x.options.DryRun {
		return
	}
	for _, key := range l.keys() {
		x.names[key] = l.number
	}
}

func (x *importer[U]) fail(l *line[U], faults roster.FieldErrors) {
	if len(faults) == 0 {
		return // the import ends for another reason
	}
	x.report.FailedTotal++
	if len(x.report.Failed) < maxFailures {
		var sorted *roster.Error
		errors.As(faults.Err(), &sorted)
		if len(sorted.Fields) > maxFaults {
			sorted = sorted.WithFields(sorted.Fields[:maxFaults]...)
		}
		x.report.Failed = append(x.report.Failed, roster.ImportFailure{Line: l.number, Errors: sorted.Fields})
	}
}

// faultsOf tells the failure of a line from that of the import: of the database, of the caller, of the actor's rights.
func (x *importer[U]) faultsOf(ctx context.Context, l *line[U], err error) (roster.FieldErrors, error) {
	var known *roster.Error
	switch {
	case ctx.Err() != nil, errors.Is(err, roster.ErrUnavailable), errors.Is(err, errNoImport):
		return nil, err
	case !errors.As(err, &known):
		known = roster.ErrInternal
	case len(known.Fields) > 0:
		return known.Fields, nil
	}
	if known.Code == roster.CodeInternal {
		x.core.Logger.ErrorContext(ctx, "line was not imported", slog.Int("line", l.number), slog.Any("error", err))
		return roster.FieldErrors{{Code: roster.FieldCode(known.Code)}}, nil
	}
	return roster.FieldErrors{{Code: roster.FieldCode(known.Code), Message: known.Message}}, nil
}

// record writes to the audit trail what an import came to, also one that was broken off.
func (x *importer[U]) record(ctx context.Context, broken error) error {
	c := x.core
	d := deed{action: actionOf(ctx), always: true, changes: map[string]any{
		"dry_run": x.options.DryRun, "lines": x.report.Lines, "created": x.report.Created, "updated": x.report.Updated,
		"unchanged": x.report.Unchanged, "skipped": x.report.Skipped, "failed": x.report.FailedTotal,
	}}
	if broken != nil {
		d.result, d.code = roster.AuditFailed, codeOf(broken)
	}
	err := c.Store.Autocommit(context.WithoutCancel(ctx), func(ctx context.Context) error { return c.recordDeed(ctx, d) })
	if err != nil {
		return fmt.Errorf("record the import: %w", err)
	}
	return nil
}

// errNoImport is that the actor may no longer import.
var errNoImport = errors.New("the actor may not import any more")

// rights are those of the actor, as the database has them now.
func (x *importer[U]) rights(ctx context.Context) (store.Rights, error) {
	rights, err := x.core.judge(ctx, roster.PermissionImport, roster.ID{})
	if err != nil {
		return rights, errors.Join(err, errNoImport)
	}
	return rights, nil
}

// sizeOf is about what a line takes in memory.
func sizeOf(raw roster.ImportLine) int {
	n := len(raw.Document)
	for _, cell := range raw.Cells {
		if cell != nil {
			n += len(*cell)
		}
	}
	return n
}
