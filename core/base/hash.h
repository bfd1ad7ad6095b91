/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_BASE_HASH_H
#define LEAT_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* XXH3 64 bits (libxxhash). The same on every machine and run: shards are chosen by it. */
uint64_t leat_hash(const void *bytes, size_t n);

#endif
