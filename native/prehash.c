// Signatures over a digest that exists already, with the OpenSSL that Node carries: EVP_PKEY_verify(3), EVP_PKEY_sign(3).
#include "addon.h"
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

enum { SIGNATURE_LIMIT = 160 };  // DER of two 66 byte integers is at most 139

static const EVP_MD *md_of_length(size_t length) {
  switch (length) {
    case 32: return EVP_sha256();
    case 48: return EVP_sha384();
    case 64: return EVP_sha512();
    default: return NULL;
  }
}

// A context for a key of an allowed kind, which takes digests of this length; NULL otherwise.
static EVP_PKEY_CTX *prepare(EVP_PKEY *key, int (*init)(EVP_PKEY_CTX *), const EVP_MD *md) {
  int kind = EVP_PKEY_get_base_id(key);
  if (!md || (kind != EVP_PKEY_EC && kind != EVP_PKEY_RSA)) return NULL;
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
  if (context && init(context) == 1 && (kind != EVP_PKEY_RSA || EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1) &&
      EVP_PKEY_CTX_set_signature_md(context, md) == 1) {
    return context;
  }
  EVP_PKEY_CTX_free(context);
  return NULL;
}

// verifyDigest(spki, digest, signature): boolean; the hash is known by the digest's length: 32, 48 or 64 bytes of SHA-2
napi_value verify_digest(napi_env env, napi_callback_info info) {
  napi_value args[3];
  Bytes spki, digest, signature;
  if (!get_args(env, info, 3, args) || !get_bytes(env, args[0], &spki) || !get_bytes(env, args[1], &digest) || !get_bytes(env, args[2], &signature)) return NULL;
  if (spki.length > INT_MAX) return make_bool(env, false);
  const unsigned char *at = spki.data;
  EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)spki.length);
  bool good = false;
  if (key && at == spki.data + spki.length) {
    EVP_PKEY_CTX *context = prepare(key, EVP_PKEY_verify_init, md_of_length(digest.length));
    if (context) good = EVP_PKEY_verify(context, signature.data, signature.length, digest.data, digest.length) == 1;
    EVP_PKEY_CTX_free(context);
  }
  EVP_PKEY_free(key);
  ERR_clear_error();
  return make_bool(env, good);
}

// signDigest(pkcs8, digest): the signature, DER for ECDSA. EINVAL for a key that cannot.
napi_value sign_digest(napi_env env, napi_callback_info info) {
  napi_value args[2], buffer, result = NULL;
  Bytes pkcs8, digest;
  if (!get_args(env, info, 2, args) || !get_bytes(env, args[0], &pkcs8) || !get_bytes(env, args[1], &digest)) return NULL;
  if (pkcs8.length > INT_MAX) return throw_errno(env, EINVAL, "signDigest");
  const unsigned char *at = pkcs8.data;
  unsigned char signature[SIGNATURE_LIMIT];
  size_t length = sizeof signature;
  bool done = false;
  EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &at, (long)pkcs8.length);
  if (key && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC) {
    EVP_PKEY_CTX *context = prepare(key, EVP_PKEY_sign_init, md_of_length(digest.length));
    if (context) done = EVP_PKEY_sign(context, signature, &length, digest.data, digest.length) == 1;
    EVP_PKEY_CTX_free(context);
  }
  EVP_PKEY_free(key);
  ERR_clear_error();
  if (!done) return throw_errno(env, EINVAL, "signDigest");
  void *data;
  if (napi_create_arraybuffer(env, length, &data, &buffer) != napi_ok) return NULL;
  memcpy(data, signature, length);
  napi_create_typedarray(env, napi_uint8_array, length, buffer, 0, &result);
  return result;
}
