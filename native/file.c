// Opening a file that somebody else named: openat2(2) below a root, with that somebody's rights, regular files only.
#include "addon.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uv.h>

enum { MAX_GROUPS = 1024, PATH_LIMIT = 4096, BENEATH = 1, NO_SYMLINKS = 2, NO_XDEV = 4, FOLDER = 8, OVERRIDE = 16 };

typedef struct {
  napi_async_work work;
  napi_deferred deferred;
  int root;
  char path[PATH_LIMIT];
  uint32_t uid, gid;
  uint32_t groups[MAX_GROUPS];
  size_t group_count;
  uint32_t flags;
  int fd;
  int error;
} Open;

// The raw system call: glibc's setgroups would change every thread of the process.
static long set_groups(size_t count, const gid_t *groups) {
  return syscall(SYS_setgroups, count, groups);
}

enum { CAP_WORDS = _LINUX_CAPABILITY_U32S_3 };

static bool get_capabilities(struct __user_cap_data_struct caps[CAP_WORDS]) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  return syscall(SYS_capget, &header, caps) == 0;
}

static bool set_capabilities(const struct __user_cap_data_struct caps[CAP_WORDS]) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  return syscall(SYS_capset, &header, caps) == 0;
}

static int resolve(const Open *open) {
  struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS};
  how.resolve |= open->flags & BENEATH ? RESOLVE_BENEATH : RESOLVE_IN_ROOT;
  if (open->flags & FOLDER) how.flags |= O_DIRECTORY;
  if (open->flags & NO_SYMLINKS) how.resolve |= RESOLVE_NO_SYMLINKS;
  if (open->flags & NO_XDEV) how.resolve |= RESOLVE_NO_XDEV;
  for (int tries = 0;; tries++) {
    long fd = syscall(SYS_openat2, open->root, open->path, &how, sizeof how);
    // EAGAIN: something was renamed or mounted meanwhile, and `..` cannot be judged
    if (fd >= 0 || errno != EAGAIN || tries == 16) return (int)fd;
  }
}

// Resolves to an O_PATH descriptor first, so that a FIFO or a device is looked at, never opened.
static void open_regular(Open *open) {
  struct statx about;
  int path = resolve(open);
  if (path < 0) {
    open->error = errno;
    return;
  }
  if (open->flags & FOLDER) {
    open->fd = path;
    return;
  }
  // statx: the symbol is older than glibc's fstat
  if (statx(path, "", AT_EMPTY_PATH, STATX_TYPE, &about) != 0) {
    open->error = errno;
  } else if (S_ISREG(about.stx_mode)) {
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", path);
    open->fd = openat(AT_FDCWD, link, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (open->fd < 0) open->error = errno;
  }
  close(path);
}

// Without the capabilities that override permissions, unless the caller has them too: root in a namespace of its own, or
// in a container, may not read everything that root here may. They are the thread's own: capabilities(7).
static void open_as_allowed(Open *open) {
  struct __user_cap_data_struct own[CAP_WORDS], less[CAP_WORDS];
  if (open->flags & OVERRIDE) {
    open_regular(open);
    return;
  }
  if (!get_capabilities(own)) {
    open->error = EACCES;
    return;
  }
  memcpy(less, own, sizeof less);
  less[0].effective &= ~(1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH);
  if (set_capabilities(less)) open_regular(open);
  else open->error = EACCES;
  // a thread that lost its own must not be used again
  if (!set_capabilities(own)) abort();
}

// Runs on a thread of the pool; the file system identity is the thread's own. With another fsuid than root's the
// kernel drops the capabilities that override permissions, and decides as if the caller had asked: setfsuid(2).
static void execute(napi_env env, void *data) {
  (void)env;
  Open *open = data;
  uid_t uid = geteuid();
  gid_t gid = getegid();
  if (open->uid == uid && (uid != 0 || open->gid == gid)) {
    open_as_allowed(open);
    return;
  }
  gid_t own[MAX_GROUPS];
  int own_count = getgroups(MAX_GROUPS, own);
  if (own_count < 0 || set_groups(open->group_count, open->groups) != 0) {
    open->error = own_count < 0 ? errno : EACCES;
    return;
  }
  setfsgid(open->gid);
  setfsuid(open->uid);
  // neither call reports failure: asking with an invalid id answers what is in force
  if ((uid_t)setfsuid((uid_t)-1) == open->uid && (gid_t)setfsgid((gid_t)-1) == open->gid) open_as_allowed(open);
  else open->error = EACCES;
  setfsuid(uid);
  setfsgid(gid);
  // a thread that kept the wrong identity must not be used again
  if ((uid_t)setfsuid((uid_t)-1) != uid || (gid_t)setfsgid((gid_t)-1) != gid || set_groups((size_t)own_count, own) != 0) abort();
}

static void complete(napi_env env, napi_status status, void *data) {
  (void)status;
  Open *open = data;
  napi_value result, code, message;
  if (open->error == 0 && open->fd >= 0) {
    napi_create_int32(env, open->fd, &result);
    napi_resolve_deferred(env, open->deferred, result);
  } else {
    const char *name = open->error ? uv_err_name(-open->error) : "NOT_REGULAR";
    napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &code);
    napi_create_string_utf8(env, open->error ? uv_strerror(-open->error) : "not a regular file", NAPI_AUTO_LENGTH, &message);
    napi_create_error(env, code, message, &result);
    napi_reject_deferred(env, open->deferred, result);
  }
  napi_delete_async_work(env, open->work);
  free(open);
}

static bool get_groups(napi_env env, napi_value value, Open *open) {
  uint32_t count = 0;
  if (napi_get_array_length(env, value, &count) != napi_ok || count > MAX_GROUPS) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "an array of at most 1024 groups is expected");
    return false;
  }
  for (uint32_t i = 0; i < count; i++) {
    napi_value item;
    if (napi_get_element(env, value, i, &item) != napi_ok || !get_u32(env, item, &open->groups[i])) return false;
  }
  open->group_count = count;
  return true;
}

// openInRoot(rootFd, path, uid, gid, groups, flags): promise of a descriptor open for reading, the caller closes it.
// With FOLDER a descriptor of the folder to open others below it. Rejects with an errno name, or NOT_REGULAR.
napi_value open_in_root(napi_env env, napi_callback_info info) {
  napi_value args[6], name, promise;
  size_t length;
  if (!get_args(env, info, 6, args)) return NULL;
  Open *open = calloc(1, sizeof *open);
  if (!open) return throw_errno(env, ENOMEM, "openInRoot");
  open->fd = -1;
  if (!get_i32(env, args[0], &open->root) || !get_u32(env, args[2], &open->uid) || !get_u32(env, args[3], &open->gid) ||
      !get_groups(env, args[4], open) || !get_u32(env, args[5], &open->flags)) {
    free(open);
    return NULL;
  }
  if (napi_get_value_string_utf8(env, args[1], NULL, 0, &length) != napi_ok || length >= PATH_LIMIT) {
    free(open);
    return throw_errno(env, ENAMETOOLONG, "openInRoot");
  }
  napi_get_value_string_utf8(env, args[1], open->path, PATH_LIMIT, &length);
  if (strlen(open->path) != length) {
    free(open);
    return throw_errno(env, EINVAL, "openInRoot: a NUL in the path");
  }
  if (napi_create_string_utf8(env, "stepseal:openInRoot", NAPI_AUTO_LENGTH, &name) != napi_ok || napi_create_promise(env, &open->deferred, &promise) != napi_ok ||
      napi_create_async_work(env, NULL, name, execute, complete, open, &open->work) != napi_ok) {
    free(open);
    return throw_errno(env, ENOMEM, "openInRoot");
  }
  if (napi_queue_async_work(env, open->work) != napi_ok) {
    napi_delete_async_work(env, open->work);
    free(open);
    return throw_errno(env, ENOMEM, "openInRoot");
  }
  return promise;
}
