package main

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
)

// A rule is a row of a table in docs/rules: "| USER-5 | text | from |".
type rule struct {
	file           string
	prefix, number string
}

func (r rule) id() string { return r.prefix + "-" + r.number }

var (
	row   = regexp.MustCompile(`(?m)^\| *([A-Z]+)-([0-9]+)\b[^|]*\|(.*)$`)
	later = regexp.MustCompile(`\(later\) *\|`)
)

// readRules returns the rules in the order of the files and rows, without those for later. Rules that moved have a
// line "- USER-67: see MGMT-11" and no row.
func readRules(root fs.FS) ([]rule, error) {
	files, err := fs.Glob(root, "docs/rules/*.md")
	if err != nil {
		return nil, err
	}
	var rules []rule
	seen := map[string]string{}
	for _, file := range files {
		text, err := fs.ReadFile(root, file)
		if err != nil {
			return nil, err
		}
		for _, m := range row.FindAllStringSubmatch(string(text), -1) {
			if later.MatchString(m[3]) {
				continue
			}
			r := rule{file: file, prefix: m[1], number: m[2]}
			if other, ok := seen[r.id()]; ok {
				return nil, fmt.Errorf("%s stands in %s and in %s", r.id(), other, file)
			}
			seen[r.id()] = file
			rules = append(rules, r)
		}
	}
	if len(rules) == 0 {
		return nil, errors.New("there are no rules in docs/rules")
	}
	return rules, nil
}

var (
	inText = regexp.MustCompile(`\b([A-Z]+)-([0-9]+)\b`)
	inName = regexp.MustCompile(`([A-Z]+)_?([0-9]+)`) // the name of a function holds no hyphen
	name   = regexp.MustCompile(`(?m)^func (?:Test|Fuzz|Example|Benchmark)(\w*)`)
)

// readTests returns the ids that files of tests name: USER-5 anywhere, USER_5 and USER5 in the names of tests.
func readTests(root fs.FS) (map[string]bool, error) {
	named := map[string]bool{}
	add := func(ids [][]string) {
		for _, m := range ids {
			named[m[1]+"-"+m[2]] = true
		}
	}
	err := fs.WalkDir(root, ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		add(inText.FindAllStringSubmatch(string(text), -1))
		for _, m := range name.FindAllStringSubmatch(string(text), -1) {
			add(inName.FindAllStringSubmatch(m[1], -1))
		}
		return nil
	})
	return named, err
}
