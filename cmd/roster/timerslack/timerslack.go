// Package timerslack lets a server's timers be late by a millisecond. A program imports it for that effect.
//
// Go has a thread that looks after the others. In a busy program it naps 20 µs at a time, for some milliseconds after each
// system call that took long, and wakes up on a CPU that somebody else was using: with passwords being hashed on all of
// them that is a twentieth of the CPU time. Linux wakes a thread up later if it may, and so less often. By itself a program is
// 50 µs late at most; see PR_SET_TIMERSLACK in prctl(2).
//
// Go starts that thread before anything of the program's runs, with the slack that the program was started with. So the
// program starts itself once more, in place of itself: the process stays the same. It does so in the init of a package that needs
// few others, and so comes early: what others prepare in theirs is not prepared twice.
//
// Whoever starts the program with a slack of their own choice (TimerSlackNSec= of systemd) is not overruled.
package timerslack
