/* SPDX-License-Identifier: Apache-2.0 */
/* What /proc says about this process. A figure that cannot be read is left out. */
#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "service/format.h"
#include "service/metrics.h"

struct process {
	unsigned long user_ticks, system_ticks, virtual_bytes;
	unsigned long long start_ticks; /* since boot */
	long threads, resident_pages;
};

static bool read_stat(struct process *p)
{
	char text[1024];
	const char *rest;
	FILE *file = fopen("/proc/self/stat", "re");
	size_t n;

	if (file == NULL)
		return false;
	n = fread(text, 1, sizeof text - 1, file);
	(void)fclose(file);
	text[n] = '\0';
	rest = strrchr(text, ')'); /* the name before it may contain anything */
	if (rest == NULL)
		return false;
	return sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %ld %*d %llu %lu %ld",
	              &p->user_ticks, &p->system_ticks, &p->threads, &p->start_ticks, &p->virtual_bytes, &p->resident_pages) == 6;
}

static bool read_boot_time(unsigned long long *seconds)
{
	char line[256];
	bool is_found = false;
	FILE *file = fopen("/proc/stat", "re");

	if (file == NULL)
		return false;
	while (!is_found && fgets(line, sizeof line, file) != NULL)
		is_found = sscanf(line, "btime %llu", seconds) == 1;
	(void)fclose(file);
	return is_found;
}

static void put(struct leat_buffer *out, const char *name, const char *type, const char *help, double value)
{
	leat_format_put(out, "# HELP %s %s\n# TYPE %s %s\n%s %.17g\n", name, help, name, type, name, value);
}

static void put_descriptors(struct leat_buffer *out)
{
	struct rlimit limit;
	DIR *folder = opendir("/proc/self/fd");
	unsigned n = 0;

	if (folder == NULL)
		return;
	for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
		n += entry->d_name[0] != '.';
	(void)closedir(folder);
	put(out, "process_open_fds", "gauge", "Open file descriptors.", n - 1); /* one was the folder itself */
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
		put(out, "process_max_fds", "gauge", "File descriptors that may be open.", (double)limit.rlim_cur);
}

void leat_process_metrics_render(struct leat_buffer *out)
{
	double ticks = (double)sysconf(_SC_CLK_TCK);
	unsigned long long boot;
	struct process p;

	put_descriptors(out);
	if (!read_stat(&p))
		return;
	put(out, "process_cpu_seconds_total", "counter", "CPU time of the process, user and system.",
	    (double)(p.user_ticks + p.system_ticks) / ticks);
	put(out, "process_resident_memory_bytes", "gauge", "Memory of the process in RAM.",
	    (double)p.resident_pages * (double)sysconf(_SC_PAGESIZE));
	put(out, "process_virtual_memory_bytes", "gauge", "Address space of the process.", (double)p.virtual_bytes);
	put(out, "process_threads", "gauge", "Threads of the process.", (double)p.threads);
	if (read_boot_time(&boot))
		put(out, "process_start_time_seconds", "gauge", "When the process started, in seconds since 1970.",
		    (double)boot + (double)p.start_ticks / ticks);
}
