// Package timerslack lets a server's timers be late by a millisecond. A program imports it for that effect.
//
// Go has a thread that looks after the others. In a busy program it naps 20 µs at a time, for some milliseconds after each
// system call that took long, and wakes up on a CPU that somebody else was using. Linux may put a thread's wake-ups
// off by its timer slack, by default 50 µs, and so has fewer of them; see PR_SET_TIMERSLACK in prctl(2). With passwords being
// hashed on all CPUs and a slack of 1 ms, log-ins on PostgreSQL were some 2 % more.
//
// The price: while every CPU has something to do, a system call that blocks keeps what else its CPU has to do waiting for some 2 ms
// before another thread takes over, instead of for 0.1 ms. The network is not among these calls, but files are.
//
// Go starts that thread before anything of the program's runs, with the slack that the program was started with. So the
// program starts itself once more, in place of itself: the process stays the same. It does so in the init of a package that needs
// few others, and so comes early: most of what others prepare in theirs is not prepared twice.
//
// Whoever starts the program with a slack other than Linux's default (TimerSlackNSec= of systemd) is not overruled.
package timerslack
