//go:build !linux

package passwords

import "strings"

func preferHugePages(*strings.Builder) {}

// physicalMemory is not known: the heap is left alone.
func physicalMemory() int64 { return 0 }
