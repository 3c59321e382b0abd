/* SHA-256 (FIPS 180-4), so that the worker in C needs no other library. */
#ifndef SHA256_H
#define SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32

typedef struct {
  uint32_t state[8];
  uint64_t length; /* bytes so far */
  uint8_t block[64];
} sha256;

void sha256_init(sha256 *hash);
void sha256_update(sha256 *hash, const uint8_t *data, size_t length);
void sha256_final(sha256 *hash, uint8_t digest[SHA256_BYTES]);

#endif
