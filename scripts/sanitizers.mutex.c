// Tells ThreadSanitizer of the locks that it cannot see.
//
// Swift's Mutex takes and gives back a free lock in code that is instrumented with its user's. Where two threads meet
// it calls into libswiftSynchronization, which is not instrumented: what happens before what is lost on
// ThreadSanitizer, and all that such a lock protects looks like a race. Loaded before that library, these
// functions say so and call those of the library. The lock is what the first word of the handle says; the handle
// comes in the register of `self`.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context))

#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

// Missing in processes that are not instrumented, such as a test's shell.
extern void __tsan_acquire(void *address) __attribute__((weak));
extern void __tsan_release(void *address) __attribute__((weak));

SWIFT void lock_slow(uint32_t thread, SELF void *handle) __asm__(LOCK);
SWIFT void unlock_slow(SELF void *handle) __asm__(UNLOCK);

typedef SWIFT void (*lock_function)(uint32_t thread, SELF void *handle);
typedef SWIFT void (*unlock_function)(SELF void *handle);

static void *next(const char *name) {
  void *function = dlsym(RTLD_NEXT, name);
  if (function == NULL) abort();
  return function;
}

SWIFT void lock_slow(uint32_t thread, SELF void *handle) {
  ((lock_function)next(LOCK))(thread, handle);
  if (__tsan_acquire) __tsan_acquire(handle);
}

SWIFT void unlock_slow(SELF void *handle) {
  if (__tsan_release) __tsan_release(handle);
  ((unlock_function)next(UNLOCK))(handle);
}
