/* SPDX-License-Identifier: Apache-2.0 */
/* `type: lua`: an operator that is a Lua script. Options and lifetime; everything else is the VM's. */
#include <errno.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "lua/lua_plugin.h"
#include "lua/vm.h"

enum { SCRIPT_LIMIT = 1 << 20 };

struct rule {
	const char *script;
	int64_t instructions;
	int64_t memory;
	struct leat_pairs settings;
	struct leat_lua_vm *vm;
};

static const struct leat_option options[] = {
	LEAT_OPTION(TEXT, struct rule, script, "script", "The Lua file; it defines process(event, state).",
                    .flags = LEAT_OPTION_REQUIRED | LEAT_OPTION_PATH),
	LEAT_OPTION(INTEGER, struct rule, instructions, "instructions", "Instructions that an event may take before "
		"it is rejected.",
                    .preset = "1000000", .minimum = 1000, .maximum = 1e12),
	LEAT_OPTION(SIZE, struct rule, memory, "memory", "Memory that the script may use in each worker.", .preset = "16MiB",
                    .minimum = 262144, .maximum = 4294967296.0),
	LEAT_OPTION(PAIRS, struct rule, settings, "settings",
                    "Values that the script reads from the global table settings; what looks like a number is one.",
                    	.flags = 0),
	{0},
};

static const struct leat_table_spec tables[] = {
	{.name = "state", .version = 1, .kind = LEAT_TABLE_VALUE, .prose = "What the script keeps for a key."},
	{0},
};

static enum leat_status refuse_script(const struct rule *rule, int error, const char *why, struct leat_error *err)
{
	(void)leat_error_set(err, LEAT_FATAL, error, "cannot read script \"%s\": %s", rule->script, why);
	return leat_error_at(err, "script");
}

/* The whole file in *text, which the caller frees. */
static enum leat_status read_script(const struct rule *rule, struct leat_buffer *text, struct leat_error *err)
{
	FILE *file = fopen(rule->script, "re");
	struct stat about;
	size_t n;

	if (file == NULL)
		return refuse_script(rule, errno, strerror(errno), err);
	if (fstat(fileno(file), &about) != 0 || !S_ISREG(about.st_mode) || about.st_size > SCRIPT_LIMIT) {
		(void)fclose(file);
		return refuse_script(rule, 0, "it is no file of at most 1 MiB", err);
	}
	do {
		n = fread(leat_buffer_reserve(text, 4096), 1, 4096, file);
		text->n += n;
	} while (n > 0 && text->n <= SCRIPT_LIMIT);
	n = (size_t)ferror(file);
	(void)fclose(file);
	return n == 0 ? LEAT_OK : refuse_script(rule, EIO, strerror(EIO), err);
}

static enum leat_status create(void *self, struct leat_context *ctx, struct leat_error *err)
{
	struct rule *rule = self;
	struct leat_buffer text = {0};
	enum leat_status status = read_script(rule, &text, err);
	struct leat_lua_config config = {
		.path = rule->script, .instructions = rule->instructions, .memory = rule->memory, .settings = rule->settings};

	if (status == LEAT_OK) {
		leat_buffer_byte(&text, '\0');
		config.source = text.data;
		config.source_n = text.n - 1;
		rule->vm = leat_lua_share_take(&config, ctx, err);
		status = rule->vm != NULL ? LEAT_OK : LEAT_FATAL;
	}
	leat_buffer_finish(&text);
	return status;
}

static const char *const *list_ports(const void *self)
{
	const struct rule *rule = self;

	return rule->vm->ports;
}

static enum leat_status process(void *self, const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	struct rule *rule = self;

	return leat_lua_vm_process(rule->vm, record, ctx, err);
}

static enum leat_status timer(void *self, const struct leat_timer *due, struct leat_context *ctx, struct leat_error *err)
{
	struct rule *rule = self;

	return leat_lua_vm_timer(rule->vm, due, ctx, err);
}

static void destroy(void *self)
{
	struct rule *rule = self;

	leat_lua_share_give_back(rule->vm);
	rule->vm = NULL;
}

static const struct leat_operator_ops ops = {
	.size = sizeof ops,
	.instance_size = sizeof(struct rule),
	.options = options,
	.tables = tables,
	.create = create,
	.list_ports = list_ports,
	.process = process,
	.timer = timer,
	.destroy = destroy,
};

const struct leat_plugin leat_lua_plugin = {
	.magic = LEAT_MAGIC,
	.abi = LEAT_ABI,
	.size = sizeof(struct leat_plugin),
	.layout = LEAT_LAYOUT,
	.name = "lua",
	.version = "1.0",
	.summary = "Run a Lua script on every event.",
	.licence = "Apache-2.0",
	.op = &ops,
};
