package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU time in /proc: Linux tells every program 100 a second.
const tick = 10 * time.Millisecond

// cpuOf is the CPU time of a process, of all its threads.
func cpuOf(pid int) time.Duration { return ticks(pid, 11) }

// cpuOfEnded is that of the children that it has waited for.
func cpuOfEnded(pid int) time.Duration { return ticks(pid, 13) }

// ticks adds up two neighbouring fields of /proc/PID/stat, counted from behind the name, which may hold spaces.
func ticks(pid, field int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, _ := strconv.Atoi(fields[field])
	system, _ := strconv.Atoi(fields[field+1])
	return time.Duration(user+system) * tick
}

func childrenOf(pid int) (list []int) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for child := range strings.FieldsSeq(string(text)) {
		if n, err := strconv.Atoi(child); err == nil {
			list = append(list, n)
		}
	}
	return list
}

// cpuOfAll is what the machine has spent on whatever, and not idled or waited for a disk.
func cpuOfAll() time.Duration {
	text, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(text), "\n")
	var busy time.Duration
	for i, field := range strings.Fields(line) {
		if n, err := strconv.Atoi(field); err == nil && i != 4 && i != 5 && i < 9 {
			busy += time.Duration(n) * tick
		}
	}
	return busy
}

// memoryOf is what a process has in memory now and had at most, in MiB.
func memoryOf(pid int) (now, peak float64) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) < 2:
		case fields[0] == "VmRSS:":
			now = mebibytes(fields[1])
		case fields[0] == "VmHWM:":
			peak = mebibytes(fields[1])
		}
	}
	return now, peak
}

func mebibytes(kibibytes string) float64 {
	n, _ := strconv.ParseFloat(kibibytes, 64)
	return n / 1024
}

// resetPeak lets the peak begin anew.
func resetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

func loadAverage() string {
	text, _ := os.ReadFile("/proc/loadavg")
	one, _, _ := strings.Cut(string(text), " ")
	return one
}
