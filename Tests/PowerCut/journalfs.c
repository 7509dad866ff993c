// A file system that keeps a journal of everything that would change a disk, for the tests of power cuts.
//
//     journalfs FOLDER JOURNAL SYNC_MICROSECONDS MOUNT_POINT [FUSE options]
//
// It serves FOLDER at MOUNT_POINT. Every operation that succeeds and changes something is appended to JOURNAL
// before it is answered, and so is every sync. One thread (-s) serves everything: the journal's order is the
// order of what happened. What a disk may hold after a power cut is worked out from the journal
// (Tests/EndToEndTests/PowerCut); nothing is lost here. A sync takes so many microseconds, as that of a disk
// does, so that whoever does not wait for it is found out.
//
// A record, little endian: kind (4 bytes), lengths of name, other name and data (4 each), file number and
// offset (8 each), then name, other name, data. Names are paths within the mount. A file has a number of its
// own for as long as it lives, whatever its names are; numbers are never used twice.

#define FUSE_USE_VERSION 31
#define _GNU_SOURCE

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind {
  CREATED = 1,
  WRITTEN,
  TRUNCATED,
  RENAMED,
  UNLINKED,
  FOLDER_MADE,
  FOLDER_REMOVED,
  LINKED,
  SYNCED,
  FOLDER_SYNCED
};

struct record {
  uint32_t kind, name_length, other_length, data_length;
  uint64_t file, offset;
};

// An open file. Its number stays what it is when the name goes to another file.
struct handle {
  int descriptor;
  uint64_t file;
};

static int backing, journal;
static useconds_t sync_microseconds;

// ── The journal ──

static void note(enum kind kind, uint64_t file, uint64_t offset, const char *name, const char *other,
                 const char *data, size_t length) {
  struct record record = {.kind = kind,
                          .name_length = name ? strlen(name) : 0,
                          .other_length = other ? strlen(other) : 0,
                          .data_length = length,
                          .file = file,
                          .offset = offset};
  struct iovec parts[] = {{&record, sizeof record},
                          {(char *)name, record.name_length},
                          {(char *)other, record.other_length},
                          {(char *)data, length}};
  ssize_t total = sizeof record + record.name_length + record.other_length + length;
  // A journal with a hole would prove what is not so.
  if (writev(journal, parts, 4) != total) abort();
}

// ── The numbers of files: those of the folder's own are used again once a file is gone ──

static struct known { ino_t inode; uint64_t number; } *files;
static size_t file_count;
static uint64_t last_number;

static uint64_t number_of(int descriptor, int is_new) {
  struct stat status;
  if (fstat(descriptor, &status) != 0) abort();
  size_t index = 0;
  while (index < file_count && files[index].inode != status.st_ino) index++;
  if (index < file_count && !is_new) return files[index].number;
  if (index == file_count) {
    files = realloc(files, ++file_count * sizeof *files);
    if (!files) abort();
  }
  files[index] = (struct known){status.st_ino, ++last_number};
  return last_number;
}

static uint64_t number_at(const char *path) {
  int descriptor = openat(backing, path + 1, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) abort();
  uint64_t number = number_of(descriptor, 0);
  close(descriptor);
  return number;
}

// ── Operations ──

// Paths begin with '/'; the mount's own folder is ".".
static const char *inside(const char *path) { return path[1] ? path + 1 : "."; }

static struct handle *handle_of(struct fuse_file_info *info) { return (struct handle *)(uintptr_t)info->fh; }

static int result(int code) { return code < 0 ? -errno : 0; }

static int keep(int descriptor, int is_new, struct fuse_file_info *info) {
  struct handle *handle = malloc(sizeof *handle);
  if (!handle) abort();
  *handle = (struct handle){descriptor, number_of(descriptor, is_new)};
  info->fh = (uintptr_t)handle;
  return 0;
}

static int on_getattr(const char *path, struct stat *status, struct fuse_file_info *info) {
  if (info && info->fh) return result(fstat(handle_of(info)->descriptor, status));
  return result(fstatat(backing, inside(path), status, AT_SYMLINK_NOFOLLOW));
}

static int on_access(const char *path, int mode) { return result(faccessat(backing, inside(path), mode, 0)); }

static int on_readdir(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset,
                      struct fuse_file_info *info, enum fuse_readdir_flags flags) {
  (void)offset, (void)info, (void)flags;
  int descriptor = openat(backing, inside(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *folder = descriptor < 0 ? NULL : fdopendir(descriptor);
  if (!folder) return -errno;
  for (struct dirent *entry; (entry = readdir(folder));) fill(buffer, entry->d_name, NULL, 0, 0);
  closedir(folder);
  return 0;
}

static int on_create(const char *path, mode_t mode, struct fuse_file_info *info) {
  int is_new = faccessat(backing, inside(path), F_OK, AT_SYMLINK_NOFOLLOW) != 0;
  int descriptor = openat(backing, inside(path), info->flags | O_CREAT | O_CLOEXEC, mode);
  if (descriptor < 0) return -errno;
  keep(descriptor, is_new, info);
  if (is_new) note(CREATED, handle_of(info)->file, 0, path, NULL, NULL, 0);
  return 0;
}

static int on_open(const char *path, struct fuse_file_info *info) {
  int descriptor = openat(backing, inside(path), info->flags | O_CLOEXEC);
  if (descriptor < 0) return -errno;
  keep(descriptor, 0, info);
  if (info->flags & O_TRUNC) note(TRUNCATED, handle_of(info)->file, 0, NULL, NULL, NULL, 0);
  return 0;
}

static int on_release(const char *path, struct fuse_file_info *info) {
  (void)path;
  close(handle_of(info)->descriptor);
  free(handle_of(info));
  return 0;
}

static int on_read(const char *path, char *buffer, size_t size, off_t offset, struct fuse_file_info *info) {
  (void)path;
  ssize_t count = pread(handle_of(info)->descriptor, buffer, size, offset);
  return count < 0 ? -errno : (int)count;
}

static int on_write(const char *path, const char *data, size_t size, off_t offset,
                    struct fuse_file_info *info) {
  (void)path;
  ssize_t count = pwrite(handle_of(info)->descriptor, data, size, offset);
  if (count < 0) return -errno;
  note(WRITTEN, handle_of(info)->file, offset, NULL, NULL, data, count);
  return (int)count;
}

static int on_truncate(const char *path, off_t size, struct fuse_file_info *info) {
  int descriptor = info ? handle_of(info)->descriptor : openat(backing, inside(path), O_WRONLY | O_CLOEXEC);
  if (descriptor < 0) return -errno;
  int code = result(ftruncate(descriptor, size));
  if (code == 0) note(TRUNCATED, number_of(descriptor, 0), size, NULL, NULL, NULL, 0);
  if (!info) close(descriptor);
  return code;
}

static int on_fsync(const char *path, int only_data, struct fuse_file_info *info) {
  (void)path, (void)only_data;
  usleep(sync_microseconds);
  note(SYNCED, handle_of(info)->file, 0, NULL, NULL, NULL, 0);
  return 0;
}

static int on_fsyncdir(const char *path, int only_data, struct fuse_file_info *info) {
  (void)only_data, (void)info;
  usleep(sync_microseconds);
  note(FOLDER_SYNCED, 0, 0, path, NULL, NULL, 0);
  return 0;
}

static int on_mkdir(const char *path, mode_t mode) {
  int code = result(mkdirat(backing, inside(path), mode));
  if (code == 0) note(FOLDER_MADE, 0, 0, path, NULL, NULL, 0);
  return code;
}

static int on_rmdir(const char *path) {
  int code = result(unlinkat(backing, inside(path), AT_REMOVEDIR));
  if (code == 0) note(FOLDER_REMOVED, 0, 0, path, NULL, NULL, 0);
  return code;
}

static int on_unlink(const char *path) {
  int code = result(unlinkat(backing, inside(path), 0));
  if (code == 0) note(UNLINKED, 0, 0, path, NULL, NULL, 0);
  return code;
}

static int on_rename(const char *from, const char *to, unsigned int flags) {
  if (flags) return -EINVAL;
  int code = result(renameat(backing, inside(from), backing, inside(to)));
  if (code == 0) note(RENAMED, 0, 0, from, to, NULL, 0);
  return code;
}

static int on_link(const char *from, const char *to) {
  int code = result(linkat(backing, inside(from), backing, inside(to), 0));
  if (code == 0) note(LINKED, number_at(to), 0, to, NULL, NULL, 0);
  return code;
}

static int on_chmod(const char *path, mode_t mode, struct fuse_file_info *info) {
  (void)info;
  return result(fchmodat(backing, inside(path), mode, 0));
}

static int on_utimens(const char *path, const struct timespec times[2], struct fuse_file_info *info) {
  (void)info;
  return result(utimensat(backing, inside(path), times, AT_SYMLINK_NOFOLLOW));
}

static int on_statfs(const char *path, struct statvfs *information) {
  (void)path;
  return result(fstatvfs(backing, information));
}

// ── Life ──

static void *on_init(struct fuse_conn_info *connection, struct fuse_config *configuration) {
  (void)connection;
  configuration->use_ino = 1;  // the store compares the numbers of files
  configuration->hard_remove = 1;
  configuration->entry_timeout = configuration->attr_timeout = configuration->negative_timeout = 0;
  return NULL;
}

// A mount must not outlive the test that made it, however that ended.
static void *watch_parent(void *parent) {
  while (getppid() == (pid_t)(intptr_t)parent) usleep(200000);
  kill(getpid(), SIGTERM);
  return NULL;
}

int main(int count, char *arguments[]) {
  if (count < 5) {
    fprintf(stderr, "usage: journalfs FOLDER JOURNAL SYNC_MICROSECONDS MOUNT_POINT [FUSE options]\n");
    return 64;
  }
  backing = open(arguments[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  journal = open(arguments[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (backing < 0 || journal < 0) {
    perror("journalfs");
    return 74;
  }
  sync_microseconds = strtoul(arguments[3], NULL, 10);
  pthread_t watcher;
  if (pthread_create(&watcher, NULL, watch_parent, (void *)(intptr_t)getppid()) != 0) return 71;
  static const struct fuse_operations operations = {
      .getattr = on_getattr, .access = on_access, .readdir = on_readdir,     .create = on_create,
      .open = on_open,       .release = on_release, .read = on_read,         .write = on_write,
      .truncate = on_truncate, .fsync = on_fsync,  .fsyncdir = on_fsyncdir, .mkdir = on_mkdir,
      .rmdir = on_rmdir,     .unlink = on_unlink,  .rename = on_rename,     .link = on_link,
      .chmod = on_chmod,     .utimens = on_utimens, .statfs = on_statfs,    .init = on_init,
  };
  arguments[3] = arguments[0];
  return fuse_main(count - 3, arguments + 3, &operations, NULL);
}
