//go:build !race

package integration_test

const racing = false
