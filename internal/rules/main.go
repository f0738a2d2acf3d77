// Command rules lists the rules of docs/rules that no test names, and the ids that code names and no rule has. It ends
// with status 1 if there are any.
//
//	go run ./internal/rules            list them
//	go run ./internal/rules --built    count the rules, and those named by tests, by prefix
package main

import (
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
)

func main() {
	built := flag.Bool("built", false, "print counts instead")
	flag.Parse()

	ok, err := run(os.Stdout, os.DirFS("."), *built)
	if err != nil {
		fmt.Fprintln(os.Stderr, "rules:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// run reports whether a test in root names each rule of its docs/rules and code names no others, and prints what does not fit.
func run(out io.Writer, root fs.FS, built bool) (bool, error) {
	rules, err := readRules(root)
	if err != nil {
		return false, err
	}
	named, unknown, err := readCode(root, rules)
	if err != nil {
		return false, err
	}

	if built {
		printCounts(out, rules, named)
		return true, nil
	}
	missing, count := 0, 0
	for _, r := range rules {
		if r.isLater {
			continue
		}
		count++
		if !named[r.id()] {
			fmt.Fprintf(out, "%s: no test names %s\n", r.file, r.id())
			missing++
		}
	}
	for _, line := range unknown {
		fmt.Fprintln(out, line)
	}
	fmt.Fprintf(out, "%d rules, %d without a test; %d ids without a rule\n", count, missing, len(unknown))
	return missing+len(unknown) == 0, nil
}

func printCounts(out io.Writer, rules []rule, named map[string]bool) {
	var prefixes []string
	total, tested := map[string]int{}, map[string]int{}
	for _, r := range rules {
		if r.isLater {
			continue
		}
		if total[r.prefix] == 0 {
			prefixes = append(prefixes, r.prefix)
		}
		for _, key := range []string{r.prefix, "all"} {
			total[key]++
			if named[r.id()] {
				tested[key]++
			}
		}
	}
	for _, key := range append(prefixes, "all") {
		fmt.Fprintf(out, "%-6s %4d built %4d named by tests\n", key, total[key], tested[key])
	}
}
