// Shared by the files of the addon. Node-API version 8: one binary for Node 20 and later.
#pragma once
#define NAPI_VERSION 8
#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

typedef struct {
  uint8_t *data;
  size_t length;
} Bytes;

// Each reads one argument; on a wrong type they throw and answer false.
bool get_i32(napi_env env, napi_value value, int32_t *out);
bool get_u32(napi_env env, napi_value value, uint32_t *out);
bool get_bool(napi_env env, napi_value value, bool *out);
bool get_bytes(napi_env env, napi_value value, Bytes *out);
bool get_args(napi_env env, napi_callback_info info, size_t count, napi_value *out);

// Throws an Error whose code is the errno's name.
napi_value throw_errno(napi_env env, int error, const char *what);
napi_value make_i32(napi_env env, int32_t value);
napi_value make_bool(napi_env env, bool value);

napi_value peer_credentials(napi_env env, napi_callback_info info);
napi_value peer_pidfd(napi_env env, napi_callback_info info);
napi_value pidfd_alive(napi_env env, napi_callback_info info);
napi_value watch_exit(napi_env env, napi_callback_info info);
napi_value set_dumpable(napi_env env, napi_callback_info info);
napi_value set_subreaper(napi_env env, napi_callback_info info);
napi_value open_in_root(napi_env env, napi_callback_info info);
napi_value verify_digest(napi_env env, napi_callback_info info);
napi_value sign_digest(napi_env env, napi_callback_info info);
