// Command generate writes what is made from the source of mixins: docs/operations.md and the recorder of the contract
// tests. It is run by go generate, in a folder below the root of the module.
package main

import (
	"bytes"
	"fmt"
	"go/format"
	"os"
)

func main() {
	if err := run(".."); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// The files, from the root of the module.
const (
	operationsFile = "docs/operations.md"
	recorderFile   = "integration_test/recorder_gen_test.go"
)

// run writes the files of the module in dir.
func run(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	files, err := generate(root)
	for name, content := range files {
		if err == nil {
			err = root.WriteFile(name, content, 0o644)
		}
	}
	return err
}

// generate returns the content of each file.
func generate(root *os.Root) (map[string][]byte, error) {
	s, err := readSurface(root.FS())
	if err != nil {
		return nil, err
	}
	var operations, recorder bytes.Buffer
	writeOperations(&operations, s)
	writeRecorder(&recorder, s)
	formatted, err := format.Source(recorder.Bytes())
	if err != nil {
		return nil, fmt.Errorf("format the recorder: %w", err)
	}
	return map[string][]byte{operationsFile: operations.Bytes(), recorderFile: formatted}, nil
}
