//go:build !linux

package passwords

func preferHugePages([]byte) {}
