/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_CLI_ARGUMENTS_H
#define LEAT_CLI_ARGUMENTS_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/cli.h"

/* getopt_long in leat's words: a verb's options are one table of struct option, mistakes get "did you mean". */

enum { LEAT_ARGUMENT_END = -1, LEAT_ARGUMENT_HELP = 'h', LEAT_ARGUMENT_WRONG = '?' };

/* Every table has this line first; `--help` needs no code in the verb besides returning. */
#define LEAT_OPTION_HELP {"help", no_argument, NULL, LEAT_ARGUMENT_HELP}

/* The next option's `val`, its text in `optarg`. LEAT_ARGUMENT_HELP: the help was printed; LEAT_ARGUMENT_WRONG: what is wrong
 * was printed. `letters` are short options as for getopt(), without "h". The operands are argv[optind..argc) at the end. */
int leat_argument_next(const struct leat_verb *verb, int argc, char **argv, const char *letters, const struct option *options);

/* "leat run: ..." to standard error, and where the help is. Returns LEAT_EXIT_USAGE. */
enum leat_exit leat_usage_error(const struct leat_verb *verb, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "leat run: ..." to standard error. */
void leat_verb_complain(const struct leat_verb *verb, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* An option's value; false: a usage error was printed. */
bool leat_argument_duration(const struct leat_verb *verb, const char *option, const char *text, int64_t *us);
bool leat_argument_size(const struct leat_verb *verb, const char *option, const char *text, const char *least, size_t *bytes);
bool leat_argument_number(const struct leat_verb *verb, const char *option, const char *text, uint32_t maximum, uint32_t *n);
/* Of --format, where there are these two. */
enum { LEAT_FORMAT_TEXT, LEAT_FORMAT_JSON };
bool leat_argument_format(const struct leat_verb *verb, const char *text, int *format);
bool leat_argument_choice(const struct leat_verb *verb, const char *option, const char *text, const char *const *choices, int *n);

#endif
