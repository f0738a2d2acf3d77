package main

import (
	"bytes"
	"io/fs"
)

var Generate = generate

// Operations is docs/operations.md of a module.
func Operations(root fs.FS) (string, error) {
	s, err := readSurface(root)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	writeOperations(&b, s)
	return b.String(), nil
}
