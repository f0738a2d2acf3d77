package notify

import (
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	texttemplate "text/template"

	"golang.org/x/text/language"
)

const (
	layoutFile = "layout.html"
	phrases    = "phrases"
	english    = "en" // complete, so that it can stand in for all
)

// extensions are those of a template's file, the longest first.
func extensions() []string { return []string{subjectFile, smsFile, textFile, htmlFile} }

const (
	subjectFile = ".subject.txt"
	smsFile     = ".sms.txt"
	textFile    = ".txt"
	htmlFile    = ".html"
)

// extensionsOf are those of a channel's files.
func extensionsOf(channel Channel) []string {
	if channel == SMS {
		return []string{smsFile}
	}
	return []string{subjectFile, textFile, htmlFile}
}

// templateFiles are contents by name.
type templateFiles map[string]string

// readFiles returns the built-in files, replaced and added to by those of overrides.
func readFiles(overrides fs.FS) (templateFiles, error) {
	own, err := fs.Sub(builtin, "templates")
	if err != nil {
		return nil, err
	}
	files, err := readAll(own)
	if err != nil || overrides == nil {
		return files, err
	}
	others, err := readAll(overrides)
	if err != nil {
		return nil, err
	}
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(others)) {
		faults = append(faults, checkName(name))
	}
	maps.Copy(files, others)
	return files, errors.Join(faults...)
}

// readAll reads all files but hidden ones, which editors and systems leave behind.
func readAll(from fs.FS) (templateFiles, error) {
	files := templateFiles{}
	err := fs.WalkDir(from, ".", func(name string, entry fs.DirEntry, err error) error {
		hidden := name != "." && strings.HasPrefix(path.Base(name), ".")
		switch {
		case err != nil:
			return err
		case hidden && entry.IsDir():
			return fs.SkipDir
		case hidden, entry.IsDir():
			return nil
		}
		text, err := fs.ReadFile(from, name)
		files[name] = string(text)
		return err
	})
	return files, err
}

// checkName tells a file that would never be used.
func checkName(name string) error {
	if name == layoutFile {
		return nil
	}
	dir, _, _ := strings.Cut(name, "/")
	tag, extension, ok := languageOf(dir, name)
	known := dir == phrases && (extension == textFile || extension == htmlFile)
	for _, channel := range traitsOf[dir].channels {
		known = known || slices.Contains(extensionsOf(channel), extension)
	}
	if !known || !ok {
		return fmt.Errorf("%s: no template is called so", name)
	}
	if parsed, err := language.Parse(tag); err != nil || parsed.String() != tag {
		return fmt.Errorf("%s: %q is no language, or BCP 47 writes it otherwise", name, tag)
	}
	return nil
}

// languageOf returns the language of a file in a directory, and what follows it in the name.
func languageOf(dir, name string) (tag, extension string, ok bool) {
	base, ok := strings.CutPrefix(name, dir+"/")
	if !ok {
		return "", "", false
	}
	for _, extension := range extensions() {
		if tag, ok := strings.CutSuffix(base, extension); ok {
			return tag, extension, true
		}
	}
	return "", "", false
}

// languages returns those in which a kind has a file for a channel.
func (files templateFiles) languages(kind string, channel Channel) []string {
	var list []string
	for name := range files {
		if tag, extension, ok := languageOf(kind, name); ok && slices.Contains(extensionsOf(channel), extension) {
			list = append(list, tag)
		}
	}
	return list
}

// find returns the name of a directory's file in a language, or of that in English, and which of the two it is.
func (files templateFiles) find(dir, language, extension string) (name, found string) {
	name = dir + "/" + language + extension
	if _, ok := files[name]; ok {
		return name, language
	}
	return dir + "/" + english + extension, english
}

func (files templateFiles) parse(kind string, channel Channel, language string) (texts, error) {
	var t texts
	var err error
	if channel == SMS {
		t.text, err = files.parseText(files.find(kind, language, smsFile))
		return t, err
	}
	subject, err := files.parseText(files.find(kind, language, subjectFile))
	if err != nil {
		return texts{}, err
	}
	t.subject = &subject
	if t.text, err = files.parseText(files.find(kind, language, textFile)); err != nil {
		return texts{}, err
	}
	name, found := files.find(kind, language, htmlFile)
	another := t.text.language == language && found != language
	if strings.TrimSpace(files[name]) == "" || another {
		return t, nil
	}
	html, err := files.parseHTML(name, found)
	t.html = &html
	return t, err
}

func (files templateFiles) parseText(name, language string) (part, error) {
	t := texttemplate.New("").Funcs(functions(language)).Option("missingkey=error")
	shared, _ := files.find(phrases, language, textFile)
	for _, file := range []string{shared, name} {
		if _, err := t.New(file).Parse(files[file]); err != nil {
			return part{}, err
		}
	}
	for _, defined := range t.Templates() {
		printLines(defined.Tree)
	}
	return part{name, language, t.Lookup(name)}, nil
}

func (files templateFiles) parseHTML(name, language string) (part, error) {
	t := htmltemplate.New("").Funcs(functions(language)).Option("missingkey=error")
	shared, _ := files.find(phrases, language, htmlFile)
	for _, file := range []string{layoutFile, shared, name} {
		if _, err := t.New(file).Parse(files[file]); err != nil {
			return part{}, err
		}
	}
	return part{name, language, t.Lookup(name)}, nil
}
