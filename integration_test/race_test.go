//go:build race

package integration_test

// racing says that the race detector runs, which makes everything many times slower.
const racing = true
