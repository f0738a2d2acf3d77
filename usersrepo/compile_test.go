package usersrepo_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// HOOK-5, HOOK-11, case 6: what would not work does not compile, at Init or before. Each package in testdata but copied
// has comments that say which error is wanted on their line.
func TestHOOK_5_DoesNotCompile(t *testing.T) {
	t.Parallel()
	packages := testdata(t)
	for name, want := range packages {
		if name == copied {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			compareFaults(t, want, command(t, "go", "build", "./testdata/"+name))
		})
	}
}

// HOOK-7: go vet tells of a copy.
func TestHOOK_7_VetFlagsACopy(t *testing.T) {
	t.Parallel()
	if output := command(t, "go", "build", "./testdata/"+copied); output != "" {
		t.Fatalf("does not compile:\n%s", output)
	}
	compareFaults(t, testdata(t)[copied], command(t, "go", "vet", "-copylocks", "./testdata/"+copied))
}

const copied = "copied"

// A fault is what a compiler says of a line.
type fault struct{ line, message string }

// testdata returns the faults that each package wants.
func testdata(t *testing.T) map[string][]fault {
	t.Helper()
	files, err := filepath.Glob("testdata/*/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no packages in testdata: %v", err)
	}
	packages := map[string][]fault{}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(filepath.Dir(file))
		number := 0
		for line := range strings.Lines(string(source)) {
			number++
			if _, message, ok := strings.Cut(line, "// want: "); ok {
				packages[name] = append(packages[name], fault{fmt.Sprintf("%s:%d", file, number), strings.TrimSpace(message)})
			}
		}
	}
	return packages
}

// command returns the output of a command.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", name, err)
	}
	return string(output)
}

var faultForm = regexp.MustCompile(`(?m)^(?:vet: )?(\S+\.go:\d+):\d+: (.*)$`)

func compareFaults(t *testing.T, want []fault, output string) {
	t.Helper()
	var got []fault
	for _, m := range faultForm.FindAllStringSubmatch(output, -1) {
		got = append(got, fault{filepath.ToSlash(m[1]), m[2]})
	}
	within := cmp.Comparer(func(a, b fault) bool {
		return a.line == b.line && (strings.Contains(a.message, b.message) || strings.Contains(b.message, a.message))
	})
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(fault{}), within); diff != "" {
		t.Errorf("errors of the compiler (-want +got):\n%s\n%s", diff, output)
	}
}
