/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which windows there are. Those of fixed length lie on a grid that begins at 1970-01-01T00:00:00Z + `offset` and goes both ways,
 * so times before 1970 divide downwards.
 */
#include "window.h"

static int64_t align_down(int64_t time_us, int64_t step, int64_t offset)
{
	int64_t rest = (time_us - offset) % step;

	return time_us - (rest < 0 ? rest + step : rest);
}

static int64_t divisor(int64_t a, int64_t b)
{
	while (b != 0) {
		int64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

void assign_init(struct window *self)
{
	self->length = self->kind == SESSIONS ? 0 : self->kind == SLIDING ? self->sliding : self->size;
	self->every = self->kind == HOPPING ? self->slide : self->kind == CUMULATING ? self->step : self->kind == SLIDING ? 1 : self->length;
	self->pane = self->kind == HOPPING ? divisor(self->size, self->slide) : self->every;
}

int64_t assign_pane(const struct window *self, int64_t time_us)
{
	return align_down(time_us, self->pane, self->offset);
}

int64_t assign_first_end(const struct window *self, int64_t time_us)
{
	/* Windows of one grid begin `every` apart; cumulating ones end so. */
	if (self->kind == CUMULATING)
		return align_down(time_us, self->every, self->offset) + self->every;
	return align_down(time_us - self->length, self->every, self->offset) + self->every + self->length;
}

int64_t assign_last_end(const struct window *self, int64_t time_us)
{
	return align_down(time_us, self->kind == CUMULATING ? self->length : self->every, self->offset) + self->length;
}

int64_t assign_start(const struct window *self, int64_t end_us)
{
	return self->kind == CUMULATING ? align_down(end_us - 1, self->length, self->offset) : end_us - self->length;
}
