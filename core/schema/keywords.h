/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_SCHEMA_KEYWORDS_H
#define LEAT_SCHEMA_KEYWORDS_H

#include <leat/error.h>
#include <leat/value.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Private to this folder. Whether a schema says only what is supported, each keyword with a value of its kind: a keyword that was
 * passed over would let events through that its author has forbidden. LEAT_FATAL with the place in the file.
 */
struct leat_keywords_patterns {
	/* LEAT_FATAL with the reason when the text is no regular expression. */
	enum leat_status (*add)(void *opaque, const char *pattern, size_t n, struct leat_error *err);
	void *opaque;
};

enum leat_status leat_keywords_check(const struct leat_value *schema, const struct leat_keywords_patterns *patterns, struct leat_error *err);

#ifdef __cplusplus
}
#endif

#endif
