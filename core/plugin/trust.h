/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGIN_TRUST_H
#define LEAT_PLUGIN_TRUST_H

#include <leat/error.h>

/*
 * Whether nobody but root and ourselves could have put this file there. Loading a plugin runs its code with our rights, so
 * whoever can write the file, or swap a folder above it, would have them.
 *
 * The path has to be absolute and without symbolic links (realpath). The file and every folder above it must belong to
 * root or to us, and be writable by neither group nor others. One exception: a folder above the file's own may be
 * world-writable when it is sticky, as /tmp is: there nobody can rename or remove what belongs to somebody else, so with
 * everything below checked for its owner there is nothing to swap. The file's own folder gets no such pardon.
 */
enum leat_status leat_trust_check(const char *path, struct leat_error *err);

#endif
