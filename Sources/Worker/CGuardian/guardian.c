#define _GNU_SOURCE
#include "guardian.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// MARK: What both processes see

struct place {
    // 0: nothing is here.
    _Atomic uint64_t run;
    // 0: its program is about to start.
    _Atomic pid_t group;
};

struct table {
    // Those from here on were never used.
    _Atomic uint32_t place_count;
    struct place places[TRAY_GUARDIAN_PLACES_MAX];
};

static struct table *table;

#define NAME TRAY_GUARDIAN_VARIABLE "="
#define RANDOM_BYTES 16
// As it stands in an environment: the name, the digits and a "-"; then comes the number of the run.
#define MARK_LENGTH (sizeof NAME - 1 + 2 * RANDOM_BYTES + 1)
static char mark[MARK_LENGTH + 1];

const char *tray_guardian_mark(void) { return mark + sizeof NAME - 1; }

void tray_guardian_announce(uint32_t place, uint64_t run) {
    uint32_t count = atomic_load(&table->place_count);
    while (count <= place && !atomic_compare_exchange_weak(&table->place_count, &count, place + 1)) {
    }
    atomic_store(&table->places[place].run, run);
}

void tray_guardian_learn(uint32_t place, pid_t group) { atomic_store(&table->places[place].group, group); }

void tray_guardian_forget(uint32_t place) {
    atomic_store(&table->places[place].run, 0);
    atomic_store(&table->places[place].group, 0);
}

// MARK: The guardian's process
//
// It is the copy of a process with many threads, whose locks may be held by threads that it does not have: only what is
// async-signal-safe is allowed here, so no allocation and no stdio.

enum { GRACE_MS = 500, LOOK_MS = 5, NAME_BYTES_MAX = 16 };

// The session of the guarded process, and of all groups that it starts.
static pid_t session;
static bool was_told[TRAY_GUARDIAN_PLACES_MAX];
static char buffer[1 << 16];

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_ms(long milliseconds) {
    struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    while (nanosleep(&pause, &pause) == -1 && errno == EINTR) {
    }
}

// The file `name` of the process `id`.
static int open_of_process(const char *id, const char *name) {
    char path[64] = "/proc/";
    strncat(path, id, 20);
    strcat(path, "/");
    strncat(path, name, 20);
    return open(path, O_RDONLY | O_CLOEXEC);
}

// The run whose mark stands in the environment of process `id`; 0 where there is none.
static uint64_t run_of(const char *id) {
    int file = open_of_process(id, "environ");
    if (file < 0) return 0;
    uint64_t run = 0;
    size_t length = 0;
    bool matches = true;
    ssize_t count;
    while ((count = read(file, buffer, sizeof buffer)) > 0) {
        for (ssize_t i = 0; i < count; i++) {
            char c = buffer[i];
            if (c == 0) {
                if (matches && length > MARK_LENGTH) goto found;
                matches = true;
                length = 0;
                run = 0;
                continue;
            }
            if (!matches) continue;
            if (length < MARK_LENGTH) {
                matches = c == mark[length];
            } else {
                matches = c >= '0' && c <= '9';
                run = run * 10 + (uint64_t)(c - '0');
            }
            length++;
        }
    }
    run = 0;
found:
    close(file);
    return run;
}

static bool is_announced(uint32_t place) {
    return atomic_load(&table->places[place].run) != 0 && atomic_load(&table->places[place].group) == 0;
}

static void learn_group_of(const char *id, uint32_t count) {
    pid_t process = 0;
    for (const char *digit = id; *digit; digit++) {
        if (*digit < '0' || *digit > '9') return;
        process = process * 10 + (*digit - '0');
    }
    if (getsid(process) != session) return;
    uint64_t run = run_of(id);
    if (run == 0) return;
    for (uint32_t place = 0; place < count; place++) {
        if (is_announced(place) && atomic_load(&table->places[place].run) == run) {
            pid_t group = getpgid(process);
            if (group > 0) tray_guardian_learn(place, group);
        }
    }
}

struct entry {
    uint64_t inode;
    int64_t offset;
    uint16_t length;
    uint8_t kind;
    char name[];
};

// Looks through all processes for those whose program has just been started.
static void learn_announced(uint32_t count) {
    static _Alignas(struct entry) char entries[1 << 14];
    int folder = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return;
    long byte_count;
    while ((byte_count = syscall(SYS_getdents64, folder, entries, sizeof entries)) > 0) {
        for (long at = 0; at < byte_count;) {
            const struct entry *entry = (const struct entry *)(entries + at);
            learn_group_of(entry->name, count);
            at += entry->length;
        }
    }
    close(folder);
}

// The group at `place` that is to be ended; 0 where there is none (any more).
static pid_t living_group(uint32_t place) {
    if (atomic_load(&table->places[place].run) == 0) return 0;
    pid_t group = atomic_load(&table->places[place].group);
    if (group <= 0 || kill(-group, 0) != 0) return 0;
    // The leader of a group cannot leave its session: in another one it is a stranger that got the number of a group
    // which was gone already.
    pid_t leader_session = getsid(group);
    return leader_session == -1 || leader_session == session ? group : 0;
}

// Sends SIGTERM to groups that have not had it, and says whether any is left.
static bool ask_to_end(uint32_t count) {
    bool is_any_announced = false;
    for (uint32_t place = 0; place < count; place++) is_any_announced = is_any_announced || is_announced(place);
    if (is_any_announced) learn_announced(count);
    bool is_any_left = is_any_announced;
    for (uint32_t place = 0; place < count; place++) {
        pid_t group = living_group(place);
        if (group == 0) continue;
        if (!was_told[place]) kill(-group, SIGTERM);
        was_told[place] = true;
        is_any_left = true;
    }
    return is_any_left;
}

static void end_all(void) {
    uint32_t count = atomic_load(&table->place_count);
    int64_t deadline = now_ms() + GRACE_MS;
    while (ask_to_end(count)) {
        if (now_ms() < deadline) {
            pause_ms(LOOK_MS);
            continue;
        }
        for (uint32_t place = 0; place < count; place++) {
            pid_t group = living_group(place);
            if (group != 0) kill(-group, SIGKILL);
        }
        return;
    }
}

static void close_all_from(unsigned first) {
    if (syscall(SYS_close_range, first, ~0U, 0) == 0) return;
    struct rlimit limit;
    rlim_t end = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 1 << 20 ? limit.rlim_cur : 1 << 20;
    for (rlim_t descriptor = first; descriptor < end; descriptor++) close((int)descriptor);
}

// Lists show this process by its own name: who ends a worker by the words of its command line does not end its guardian
// with it.
static void take_name(void) {
    static const char name[NAME_BYTES_MAX] = "tray-guardian";
    prctl(PR_SET_NAME, name);
    int file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    ssize_t length = read(file, buffer, sizeof buffer - 1);
    close(file);
    if (length <= 0) return;
    buffer[length] = 0;
    // The second field is a name in parentheses; the 48th and 49th are where the words begin and end.
    const char *at = strrchr(buffer, ')');
    uintptr_t ends[2] = {0, 0};
    for (int field = 3; at != NULL && field <= 49; field++) {
        at = strchr(at + 1, ' ');
        if (at == NULL) return;
        if (field < 48) continue;
        for (const char *digit = at + 1; *digit >= '0' && *digit <= '9'; digit++)
            ends[field - 48] = ends[field - 48] * 10 + (uintptr_t)(*digit - '0');
    }
    if (ends[0] == 0 || ends[1] < ends[0] + NAME_BYTES_MAX) return;
    memset((char *)ends[0], 0, ends[1] - ends[0]);
    memcpy((char *)ends[0], name, sizeof name);
}

static _Noreturn void guard(int pipe_end, pid_t guarded) {
    // Every signal that can be blocked is blocked already.
    setsid();
    // Nothing else of the guarded process may stay open here: its peers see its death by their connections.
    if (dup2(pipe_end, 0) != 0) _exit(1);
    close_all_from(1);
    // Its folder may go away. Where this fails, it stays.
    if (chdir("/") != 0) errno = 0;
    take_name();
    char byte;
    while (read(0, &byte, 1) == -1 && errno == EINTR) {
    }
    // A process that dies closes its descriptors first; so does one that closes what it does not know.
    while (getppid() == guarded) pause_ms(1);
    end_all();
    _exit(0);
}

// MARK: The guarded process

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t has_tried = PTHREAD_COND_INITIALIZER;
static bool is_kept;
// Why no guardian is there: an errno, or 0 when one is.
enum { NOT_TRIED = -1 };
static int trouble = NOT_TRIED;

static void say(int error) {
    pthread_mutex_lock(&lock);
    trouble = error;
    pthread_cond_broadcast(&has_tried);
    pthread_mutex_unlock(&lock);
}

// Forks a guardian, and waits until it has died.
static void keep_one(void) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return say(errno);
    pid_t guarded = getpid();
    session = getsid(0);
    pid_t guardian = _Fork();
    if (guardian == 0) guard(ends[0], guarded);
    int error = guardian < 0 ? errno : 0;
    close(ends[0]);
    say(error);
    if (guardian > 0)
        while (waitpid(guardian, NULL, 0) == -1 && errno == EINTR) {
        }
    close(ends[1]);
}

// A thread of its own, because it notices the death of a guardian while nothing else happens.
static void *keep(void *unused) {
    (void)unused;
    for (;;) {
        int64_t began = now_ms();
        keep_one();
        // One that cannot live is not tried again at once.
        if (now_ms() - began >= 1000) continue;
        // Where it was there for a moment, whoever is about to start a command waits for the next one.
        if (trouble == 0) say(NOT_TRIED);
        pause_ms(100);
    }
    return NULL;
}

static int prepare(void) {
    if (table != NULL) return 0;
    unsigned char random[RANDOM_BYTES];
    if (getrandom(random, sizeof random, 0) != sizeof random) return errno;
    void *memory = mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return errno;
    char *end = stpcpy(mark, NAME);
    for (int i = 0; i < RANDOM_BYTES; i++) {
        *end++ = "0123456789abcdef"[random[i] >> 4];
        *end++ = "0123456789abcdef"[random[i] & 15];
    }
    *end = '-';
    table = memory;
    return 0;
}

static int start_keeper(void) {
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 1 << 18);
    // What the thread blocks, a guardian has blocked from its first instruction on.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread, &attributes, keep, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}

int tray_guardian_start(void) {
    pthread_mutex_lock(&lock);
    int error = is_kept ? 0 : prepare();
    if (error == 0 && !is_kept) {
        error = start_keeper();
        is_kept = error == 0;
    }
    while (error == 0 && trouble == NOT_TRIED) pthread_cond_wait(&has_tried, &lock);
    if (error == 0) error = trouble;
    pthread_mutex_unlock(&lock);
    return error;
}
