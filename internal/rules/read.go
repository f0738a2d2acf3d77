package main

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

// A rule is a row of a table in docs/rules, "| USER-5 | text | from |", or a line that says where it has moved to,
// "- X-67: see Y-11".
type rule struct {
	file           string
	prefix, number string
	isLater        bool // or has moved: no test need name it
}

func (r rule) id() string { return r.prefix + "-" + r.number }

var (
	row   = regexp.MustCompile(`(?m)^(?:\| *([A-Z]+)-([0-9]+)\b[^|]*\|(.*)|- ([A-Z]+)-([0-9]+): see .*)$`)
	later = regexp.MustCompile(`\(later\) *\|`)
)

// readRules returns the rules in the order of the files and rows.
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
			r := rule{file: file, prefix: m[1] + m[4], number: m[2] + m[5], isLater: m[4] != "" || later.MatchString(m[3])}
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
	suite  = regexp.MustCompile(`test/[^/]+\.go$`) // a conformance suite
)

// readCode returns the ids that tests name, USER-5 anywhere, USER_5 and USER5 in the names of tests, and a line for each
// id in a file of Go that has the prefix of a rule and is none.
func readCode(root fs.FS, rules []rule) (named map[string]bool, unknown []string, err error) {
	named = map[string]bool{}
	prefixes, ids := map[string]bool{}, map[string]bool{}
	for _, r := range rules {
		prefixes[r.prefix], ids[r.id()] = true, true
	}
	err = fs.WalkDir(root, ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") {
			return err
		}
		text, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		found := inText.FindAllStringSubmatch(string(text), -1)
		for _, m := range found {
			line := path + ": no rule " + m[0]
			if prefixes[m[1]] && !ids[m[0]] && !slices.Contains(unknown, line) {
				unknown = append(unknown, line)
			}
		}
		if !strings.HasSuffix(path, "_test.go") && !suite.MatchString(path) {
			return nil
		}
		for _, m := range name.FindAllStringSubmatch(string(text), -1) {
			found = append(found, inName.FindAllStringSubmatch(m[1], -1)...)
		}
		for _, m := range found {
			named[m[1]+"-"+m[2]] = true
		}
		return nil
	})
	return named, unknown, err
}
