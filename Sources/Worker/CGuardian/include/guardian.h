#ifndef TRAY_GUARDIAN_H
#define TRAY_GUARDIAN_H

#include <stdint.h>
#include <sys/types.h>

// The guardian: a process beside this one that ends the process groups of its commands when it dies, however it dies.
//
// It is forked from this process. Of its descriptors it keeps none but the end of a pipe; of its memory it has a copy as
// it was, and a table that both see. It sleeps until that pipe closes. What stands in the table then gets SIGTERM, and
// SIGKILL half a second later. So nothing has to be sent for a command to be guarded, and a guardian that replaces a dead
// one knows all that the dead one knew.
//
// A command is announced before its program starts, and learnt when its process group is known. If this process dies in
// between, the guardian finds the program by the mark in its environment.
//
// Every function may be called from any thread.

// How many commands can be guarded at once.
#define TRAY_GUARDIAN_PLACES_MAX 65536

// Starts the guardian, and has it replaced whenever it dies. Further calls start nothing.
// Returns 0 when one is on guard, else the errno that keeps it from being there. Waits for one that is about to come.
int tray_guardian_start(void);

// The variable in a command's environment whose value is the mark of this process and the number of the run.
#define TRAY_GUARDIAN_VARIABLE "TRAY_RUN"

// The mark of this process, 32 hexadecimal digits and "-". Once the guardian was started.
const char *tray_guardian_mark(void);

// The program of `run`, which is not 0 and never used twice, is about to start. Nobody else uses `place` until it is
// forgotten.
void tray_guardian_announce(uint32_t place, uint64_t run);

// The program at `place` leads the process group `group`.
void tray_guardian_learn(uint32_t place, pid_t group);

// Nothing at `place` is left to guard.
void tray_guardian_forget(uint32_t place);

#endif
