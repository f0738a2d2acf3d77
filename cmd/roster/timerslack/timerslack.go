// Package timerslack lets Go's monitor thread wake up less often in a busy server. A program imports it for that effect.
//
// That thread looks after the others. In a busy program it naps 20 µs at a time, for some milliseconds after each system
// call that took long, and wakes up on a CPU that somebody else was using. Linux may put a thread's wake-ups off by
// its timer slack, 50 µs by default, and so has fewer of them; see PR_SET_TIMERSLACK in prctl(2). With passwords being hashed on
// all CPUs, log-ins on PostgreSQL are some 3 % more when the monitor has a slack of 5 ms.
//
// The price: while every CPU has something to do, a system call that blocks keeps what else its CPU has to do waiting for 5 to 10 ms
// before another thread takes over, instead of for 0.1 ms. The network is not among these calls, but files are. Timers of the
// program are as exact as ever, as long as its system calls do not block by the dozen: the monitor starts threads for those that
// wait meanwhile, and they have its slack.
//
// Go starts the monitor before anything of the program's runs, with the slack that the program was started with. So the
// program starts itself once more with another, in place of itself, and gives all other threads the default back: the process
// stays the same. It does so in the init of a package that needs few others, and so comes early: most of what others prepare in
// theirs is not prepared twice.
//
// GOMAXPROCS is as the environment has it afterwards, or as Go chooses it: a program sets its own in main, or in an init that
// comes later.
//
// Whoever starts the program with a slack other than Linux's default (TimerSlackNSec= of systemd) is not overruled.
package timerslack
