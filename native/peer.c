// Who is on the other end of a Unix socket, and whether it still lives: unix(7), pidfd_open(2), prctl(2).
#include "addon.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <uv.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77  // Linux 6.5
#endif

static void set_number(napi_env env, napi_value object, const char *name, int64_t value) {
  napi_value number;
  if (napi_create_int64(env, value, &number) == napi_ok) napi_set_named_property(env, object, name, number);
}

// peerCredentials(fd): {pid, uid, gid} as they were at connect(2)
napi_value peer_credentials(napi_env env, napi_callback_info info) {
  napi_value args[1], result;
  int32_t fd;
  if (!get_args(env, info, 1, args) || !get_i32(env, args[0], &fd)) return NULL;
  struct ucred who;
  socklen_t size = sizeof who;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) return throw_errno(env, errno, "SO_PEERCRED");
  if (napi_create_object(env, &result) != napi_ok) return NULL;
  set_number(env, result, "pid", who.pid);
  set_number(env, result, "uid", who.uid);
  set_number(env, result, "gid", who.gid);
  return result;
}

// peerPidfd(fd): a descriptor of the process that called connect(2); the caller closes it. ENOPROTOOPT before Linux 6.5.
napi_value peer_pidfd(napi_env env, napi_callback_info info) {
  napi_value args[1];
  int32_t fd;
  if (!get_args(env, info, 1, args) || !get_i32(env, args[0], &fd)) return NULL;
  int pidfd = -1;
  socklen_t size = sizeof pidfd;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) != 0) return throw_errno(env, errno, "SO_PEERPIDFD");
  return make_i32(env, pidfd);
}

// pidfdAlive(fd): a pidfd becomes readable when its process has ended
napi_value pidfd_alive(napi_env env, napi_callback_info info) {
  napi_value args[1];
  int32_t fd;
  if (!get_args(env, info, 1, args) || !get_i32(env, args[0], &fd)) return NULL;
  struct pollfd one = {.fd = fd, .events = POLLIN};
  int ready;
  do ready = poll(&one, 1, 0);
  while (ready < 0 && errno == EINTR);
  if (ready < 0 || (one.revents & POLLNVAL)) return throw_errno(env, ready < 0 ? errno : EBADF, "poll of a pidfd");
  return make_bool(env, ready == 0);
}

typedef struct {
  uv_poll_t poll;
  napi_env env;
  napi_ref callback;
  napi_async_context context;
  napi_async_cleanup_hook_handle hook;
  bool closing;
  bool collected;  // the stop function is gone
  bool closed;     // libuv is done with `poll`
} Watch;

static void release(Watch *watch) {
  if (watch->collected && watch->closed) free(watch);
}

static void on_closed(uv_handle_t *handle) {
  Watch *watch = handle->data;
  watch->closed = true;
  if (watch->hook) napi_remove_async_cleanup_hook(watch->hook);
  release(watch);
}

static void stop(Watch *watch) {
  if (watch->closing) return;
  watch->closing = true;
  uv_poll_stop(&watch->poll);
  if (watch->callback) napi_delete_reference(watch->env, watch->callback);
  if (watch->context) napi_async_destroy(watch->env, watch->context);
  uv_close((uv_handle_t *)&watch->poll, on_closed);
}

static void on_environment_end(napi_async_cleanup_hook_handle hook, void *data) {
  (void)hook;
  stop(data);
}

static void on_readable(uv_poll_t *poll, int status, int events) {
  (void)status;
  (void)events;
  Watch *watch = poll->data;
  napi_env env = watch->env;
  napi_handle_scope scope;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  napi_value callback, global;
  napi_get_reference_value(env, watch->callback, &callback);
  napi_get_global(env, &global);
  napi_async_context context = watch->context;
  watch->context = NULL;
  stop(watch);
  napi_make_callback(env, context, global, callback, 0, NULL, NULL);
  napi_async_destroy(env, context);
  napi_close_handle_scope(env, scope);
}

static napi_value stop_watching(napi_env env, napi_callback_info info) {
  void *data;
  if (napi_get_cb_info(env, info, NULL, NULL, NULL, &data) == napi_ok) stop(data);
  return NULL;
}

static void on_collected(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  Watch *watch = data;
  watch->collected = true;
  release(watch);
}

// watchExit(pidfd, callback): calls back once when the process has ended; answers a function that stops watching. The
// descriptor stays the caller's and must stay open until one of both. Does not keep the event loop alive.
napi_value watch_exit(napi_env env, napi_callback_info info) {
  napi_value args[2], name, stopper;
  int32_t fd;
  napi_valuetype type;
  uv_loop_t *loop;
  if (!get_args(env, info, 2, args) || !get_i32(env, args[0], &fd)) return NULL;
  if (napi_typeof(env, args[1], &type) != napi_ok || type != napi_function) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "a function is expected");
    return NULL;
  }
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) return throw_errno(env, EINVAL, "event loop");
  Watch *watch = calloc(1, sizeof *watch);
  if (!watch) return throw_errno(env, ENOMEM, "watch");
  watch->env = env;
  watch->poll.data = watch;
  int failed = uv_poll_init(loop, &watch->poll, fd);
  if (failed) {
    free(watch);
    return throw_errno(env, -failed, "watching a pidfd");
  }
  watch->collected = true;  // until the stop function exists
  napi_create_string_utf8(env, "stepseal:watchExit", NAPI_AUTO_LENGTH, &name);
  if (napi_create_reference(env, args[1], 1, &watch->callback) != napi_ok || napi_async_init(env, NULL, name, &watch->context) != napi_ok ||
      napi_add_async_cleanup_hook(env, on_environment_end, watch, &watch->hook) != napi_ok ||
      napi_create_function(env, "stop", NAPI_AUTO_LENGTH, stop_watching, watch, &stopper) != napi_ok ||
      napi_add_finalizer(env, stopper, watch, on_collected, NULL, NULL) != napi_ok) {
    stop(watch);
    return throw_errno(env, ENOMEM, "watch");
  }
  watch->collected = false;
  uv_unref((uv_handle_t *)&watch->poll);
  failed = uv_poll_start(&watch->poll, UV_READABLE, on_readable);
  if (failed) {
    stop(watch);
    return throw_errno(env, -failed, "watching a pidfd");
  }
  return stopper;
}

static napi_value set_flag(napi_env env, napi_callback_info info, int option, const char *what) {
  napi_value args[1];
  bool on;
  if (!get_args(env, info, 1, args) || !get_bool(env, args[0], &on)) return NULL;
  if (prctl(option, on ? 1UL : 0UL, 0UL, 0UL, 0UL) != 0) return throw_errno(env, errno, what);
  return NULL;
}

// setDumpable(false): no core dumps, and nobody of the same uid attaches or reads this process's memory
napi_value set_dumpable(napi_env env, napi_callback_info info) {
  return set_flag(env, info, PR_SET_DUMPABLE, "PR_SET_DUMPABLE");
}

// setSubreaper(true): orphans below this process become its children instead of init's
napi_value set_subreaper(napi_env env, napi_callback_info info) {
  return set_flag(env, info, PR_SET_CHILD_SUBREAPER, "PR_SET_CHILD_SUBREAPER");
}
