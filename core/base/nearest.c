/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "Did you mean": Damerau-Levenshtein in the form that edits no stretch twice (optimal string alignment), without regard to
 * case. Three rows of the table are enough.
 */
#include <string.h>

#include "base/report.h"

enum { LONGEST = 63 };

static int fold(char c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : (unsigned char)c;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t distance(const char *a, size_t a_n, const char *b, size_t b_n)
{
	size_t rows[3][LONGEST + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2];
	size_t i, j;

	for (j = 0; j <= b_n; j++)
		above[j] = before[j] = j;
	for (i = 1; i <= a_n; i++) {
		size_t *spare = before;

		row[0] = i;
		for (j = 1; j <= b_n; j++) {
			size_t cost = fold(a[i - 1]) != fold(b[j - 1]);

			row[j] = smaller(smaller(above[j] + 1, row[j - 1] + 1), above[j - 1] + cost);
			if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) && fold(a[i - 2]) == fold(b[j - 1]))
				row[j] = smaller(row[j], before[j - 2] + 1);
		}
		before = above;
		above = row;
		row = spare;
	}
	return above[b_n];
}

const char *leat_nearest(const char *word, const char *const *candidates)
{
	size_t word_n = strlen(word);
	size_t best = LONGEST;
	const char *nearest = NULL;

	for (; word_n <= LONGEST && *candidates != NULL; candidates++) {
		size_t n = strlen(*candidates);
		size_t d;

		if (n > LONGEST)
			continue;
		d = distance(word, word_n, *candidates, n);
		/* A third of the longer one: "ky" is near "key", "a" is near nothing. */
		if (d < best && d <= (n > word_n ? n : word_n) / 3) {
			best = d;
			nearest = *candidates;
		}
	}
	return nearest;
}
