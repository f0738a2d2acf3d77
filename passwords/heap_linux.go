package passwords

import (
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// preferHugePages asks for huge pages where the kernel grants them on request: a hash jumps about in its memory, and finds
// its way with fewer looks at the page tables. It is advice: nothing depends on it.
func preferHugePages(region *strings.Builder) {
	_ = region.WriteByte(0)
	all := unsafe.Slice(unsafe.StringData(region.String()), region.Cap()) //nolint:gosec // what it may grow into is its own
	_ = unix.Madvise(all, unix.MADV_HUGEPAGE)
}

// physicalMemory is that of the machine, in bytes.
func physicalMemory() int64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return int64(info.Totalram) * int64(info.Unit) //nolint:gosec // no machine has so much
}
