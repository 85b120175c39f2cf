// What Node does not offer and Stepseal needs of the Linux kernel and of Node's own OpenSSL.
#include "addon.h"
#include <uv.h>

bool get_args(napi_env env, napi_callback_info info, size_t count, napi_value *out) {
  size_t given = count;
  if (napi_get_cb_info(env, info, &given, out, NULL, NULL) == napi_ok && given >= count) return true;
  napi_throw_type_error(env, "ERR_MISSING_ARGS", "too few arguments");
  return false;
}

static bool wrong_type(napi_env env, const char *expected) {
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", expected);
  return false;
}

bool get_i32(napi_env env, napi_value value, int32_t *out) {
  return napi_get_value_int32(env, value, out) == napi_ok || wrong_type(env, "a number is expected");
}

bool get_u32(napi_env env, napi_value value, uint32_t *out) {
  return napi_get_value_uint32(env, value, out) == napi_ok || wrong_type(env, "a number is expected");
}

bool get_bool(napi_env env, napi_value value, bool *out) {
  return napi_get_value_bool(env, value, out) == napi_ok || wrong_type(env, "a boolean is expected");
}

bool get_bytes(napi_env env, napi_value value, Bytes *out) {
  napi_typedarray_type type;
  void *data;
  bool is_array = false;
  if (napi_is_typedarray(env, value, &is_array) != napi_ok || !is_array) return wrong_type(env, "a Uint8Array is expected");
  if (napi_get_typedarray_info(env, value, &type, &out->length, &data, NULL, NULL) != napi_ok || type != napi_uint8_array) {
    return wrong_type(env, "a Uint8Array is expected");
  }
  out->data = data;
  return true;
}

napi_value throw_errno(napi_env env, int error, const char *what) {
  char message[160];
  snprintf(message, sizeof message, "%s: %s", what, uv_strerror(-error));
  napi_throw_error(env, uv_err_name(-error), message);
  return NULL;
}

napi_value make_i32(napi_env env, int32_t value) {
  napi_value result = NULL;
  napi_create_int32(env, value, &result);
  return result;
}

napi_value make_bool(napi_env env, bool value) {
  napi_value result = NULL;
  napi_get_boolean(env, value, &result);
  return result;
}

NAPI_MODULE_INIT() {
  static const struct {
    const char *name;
    napi_callback call;
  } functions[] = {
    {"peerCredentials", peer_credentials}, {"peerPidfd", peer_pidfd},     {"pidfdAlive", pidfd_alive},
    {"watchExit", watch_exit},             {"setDumpable", set_dumpable}, {"setSubreaper", set_subreaper},
    {"openInRoot", open_in_root},          {"verifyDigest", verify_digest}, {"signDigest", sign_digest},
  };
  for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
    napi_value function;
    if (napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].call, NULL, &function) != napi_ok) return NULL;
    if (napi_set_named_property(env, exports, functions[i].name, function) != napi_ok) return NULL;
  }
  return exports;
}
