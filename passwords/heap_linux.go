package passwords

import "golang.org/x/sys/unix"

// preferHugePages asks for huge pages where the kernel grants them on request: a hash jumps about in its memory, and finds
// its way with fewer looks at the page tables. It is advice: nothing depends on it.
func preferHugePages(region []byte) { _ = unix.Madvise(region, unix.MADV_HUGEPAGE) }
