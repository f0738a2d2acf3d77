package store

import (
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

//go:embed migrations
var migrationFiles embed.FS

// migration is one file, with the names of tables filled in.
type migration struct {
	version  int64
	name     string
	sum      string // of the file as it is shipped
	up, down string
}

const (
	upMark   = "-- +goose Up\n"
	downMark = "-- +goose Down\n"
	// dropMark stands before a statement that is run only for a caller who asks to drop the users.
	dropMark = "-- roster:drop-users\n"
)

func readMigrations(dialect Dialect, n names) ([]migration, error) {
	files, err := fs.Glob(migrationFiles, "migrations/"+string(dialect)+"/*.sql")
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	list := make([]migration, 0, len(files))
	for _, file := range files {
		content, err := migrationFiles.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read migrations: %w", err)
		}
		m := migration{name: path.Base(file)}
		if _, err := fmt.Sscanf(m.name, "%d_", &m.version); err != nil {
			return nil, fmt.Errorf("read migrations: the name of %s has no version: %w", m.name, err)
		}
		up, down, ok := strings.Cut(strings.TrimPrefix(string(content), upMark), downMark)
		if !ok {
			return nil, fmt.Errorf("read migrations: %s has no way down", m.name)
		}
		sum := sha256.Sum256(content)
		m.sum, m.up, m.down = hex.EncodeToString(sum[:]), n.fill(up), n.fill(down)
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b migration) int { return cmp.Compare(a.version, b.version) })
	return list, nil
}

// file is the text that the migration library reads.
func (m migration) file(dropUsers bool) string {
	down := m.down
	if before, drop, ok := strings.Cut(down, dropMark); ok && !dropUsers {
		_, rest, _ := strings.Cut(drop, ";\n")
		down = before + rest
	}
	return upMark + m.up + downMark + down
}

// renderedFolder shows migrations as the folder of files that the migration library reads.
type renderedFolder struct {
	files     []migration
	dropUsers bool
}

// Open implements fs.FS.
func (r renderedFolder) Open(name string) (fs.File, error) {
	if name == "." {
		return r, nil
	}
	i := slices.IndexFunc(r.files, func(m migration) bool { return m.name == name })
	if i < 0 {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	text := r.files[i].file(r.dropUsers)
	return &renderedFile{strings.NewReader(text), fileInfo{name, int64(len(text)), 0o444}}, nil
}

// ReadDir implements fs.ReadDirFile.
func (r renderedFolder) ReadDir(int) ([]fs.DirEntry, error) {
	list := make([]fs.DirEntry, len(r.files))
	for i, m := range r.files {
		list[i] = fs.FileInfoToDirEntry(fileInfo{m.name, 0, 0o444})
	}
	return list, nil
}

func (r renderedFolder) Stat() (fs.FileInfo, error) { return fileInfo{".", 0, fs.ModeDir | 0o555}, nil }
func (r renderedFolder) Read([]byte) (int, error)   { return 0, fs.ErrInvalid }
func (r renderedFolder) Close() error               { return nil }

type renderedFile struct {
	*strings.Reader
	info fileInfo
}

func (f *renderedFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *renderedFile) Close() error               { return nil }

type fileInfo struct {
	name string
	size int64
	mode fs.FileMode
}

func (i fileInfo) Name() string       { return i.name }
func (i fileInfo) Size() int64        { return i.size }
func (i fileInfo) Mode() fs.FileMode  { return i.mode }
func (i fileInfo) ModTime() time.Time { return time.Time{} }
func (i fileInfo) IsDir() bool        { return i.mode.IsDir() }
func (i fileInfo) Sys() any           { return nil }
