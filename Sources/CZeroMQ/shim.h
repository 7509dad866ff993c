#include <zmq.h>

// What a polling thread needs and Swift's Glibc module leaves out.
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>

/// Names the calling thread; the kernel keeps the first 15 bytes.
static inline void name_current_thread(const char *name) {
    prctl(PR_SET_NAME, name);
}
