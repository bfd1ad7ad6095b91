/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One VM for all instances of a script that a worker owns: its shards take turns, so they never use it at once.
 *
 * The list of VMs is the only thing that threads share here. What tells VMs apart: the pipeline (by the address of its
 * name, as two of the same name may be alive while one replaces the other), the worker, and everything that the VM was made
 * from, the text of the script included. The instance that is made to check a pipeline may share a VM too: it never calls.
 */
#include <pthread.h>

#include "base/memory.h"
#include "lua/vm.h"

struct shared {
	struct shared *next;
	struct leat_lua_vm *vm;
	const char *pipeline;
	uint32_t worker;
	size_t n_users;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct shared *all;

static bool has_same_settings(const struct leat_pairs *a, const struct leat_pairs *b)
{
	size_t i;

	if (a->n != b->n)
		return false;
	for (i = 0; i < a->n; i++)
		if (strcmp(a->item[i].name, b->item[i].name) != 0 || strcmp(a->item[i].text, b->item[i].text) != 0)
			return false;
	return true;
}

static bool is_made_from(const struct leat_lua_vm *vm, const struct leat_lua_config *config)
{
	const struct leat_lua_config *its = &vm->config;

	return its->instructions == config->instructions && its->memory == config->memory && strcmp(its->path,
		config->path) == 0 &&
	       its->source_n == config->source_n && memcmp(its->source, config->source, config->source_n) == 0 &&
	       has_same_settings(&its->settings, &config->settings);
}

static struct shared *find(const struct leat_lua_config *config, const char *pipeline, uint32_t worker)
{
	struct shared *one;

	for (one = all; one != NULL; one = one->next)
		if (one->pipeline == pipeline && one->worker == worker && is_made_from(one->vm, config))
			return one;
	return NULL;
}

struct leat_lua_vm *leat_lua_share_take(const struct leat_lua_config *config, struct leat_context *ctx, struct leat_error *err)
{
	struct leat_lua_vm *vm = NULL;
	const char *pipeline = NULL;
	struct shared *one;

	(void)leat_name(ctx, &pipeline);
	(void)pthread_mutex_lock(&lock);
	one = find(config, pipeline, leat_worker(ctx));
	if (one == NULL) {
		vm = leat_lua_vm_create(config, err);
		if (vm != NULL) {
			one = leat_allocate_zeroed(1, sizeof *one);
			*one = (struct shared){.next = all, .vm = vm, .pipeline = pipeline, .worker = leat_worker(ctx)};
			all = one;
		}
	}
	if (one != NULL) {
		one->n_users++;
		vm = one->vm;
	}
	(void)pthread_mutex_unlock(&lock);
	return vm;
}

void leat_lua_share_give_back(struct leat_lua_vm *vm)
{
	struct shared **at = &all;
	struct shared *unused = NULL;

	if (vm == NULL)
		return;
	(void)pthread_mutex_lock(&lock);
	while (*at != NULL && (*at)->vm != vm)
		at = &(*at)->next;
	if (*at != NULL && --(*at)->n_users == 0) {
		unused = *at;
		*at = unused->next;
	}
	(void)pthread_mutex_unlock(&lock);
	if (unused != NULL) {
		leat_lua_vm_destroy(unused->vm);
		free(unused);
	}
}
