/* SPDX-License-Identifier: Apache-2.0 */
/* Values in the words of a fault. */
#include "schema/judge.hpp"

#include <cmath>

#include "data/json.h"

namespace leat_schemas {

namespace {

const size_t SHOWN = 48;

} // namespace

void append_place(std::string *out, const place *at)
{
	if (at == nullptr)
		return;
	append_place(out, at->up);
	*out += '/';
	if (at->name == nullptr)
		*out += std::to_string(at->index);
	for (size_t i = 0; at->name != nullptr && i < at->name_n; i++)
		at->name[i] == '~' ? *out += "~0" : at->name[i] == '/' ? *out += "~1" : *out += at->name[i];
}

/* As JSON, cut off where it is long. */
std::string show(const leat_value *v)
{
	leat_buffer buffer = { nullptr, 0, 0 };
	std::string text;

	if (v->type == LEAT_MAP)
		return "an object";
	if (v->type == LEAT_LIST)
		return "an array";
	if (leat_json_encode(v, &buffer, nullptr) == LEAT_OK)
		text.assign(buffer.data, buffer.n);
	leat_buffer_finish(&buffer);
	if (text.size() > SHOWN) {
		size_t n = SHOWN;

		while (n > 0 && (static_cast<unsigned char>(text[n]) & 0xc0) == 0x80)
			n--;
		text = text.substr(0, n) + "...";
	}
	return text;
}

std::string show(double number)
{
	bool is_whole = number == std::floor(number) && std::fabs(number) < 9e15;
	const leat_value v = is_whole ? leat_integer(static_cast<int64_t>(number)) : leat_real(number);

	return show(&v);
}

std::string show(uint64_t n, const char *one, const char *many)
{
	return std::to_string(n) + " " + (n == 1 ? one : many);
}

/* What is written as a JSON string: times and bytes become one. */
bool is_string(const leat_value *v)
{
	return v->type == LEAT_TEXT || v->type == LEAT_TIME || v->type == LEAT_BYTES;
}

std::string text_of(const leat_value *v)
{
	leat_buffer buffer = { nullptr, 0, 0 };
	std::string text;

	if (v->type == LEAT_TEXT)
		return std::string(v->as.text, v->n);
	if (leat_json_encode(v, &buffer, nullptr) == LEAT_OK && buffer.n >= 2)
		text.assign(buffer.data + 1, buffer.n - 2);
	leat_buffer_finish(&buffer);
	return text;
}

bool is_number(const leat_value *v)
{
	return v->type == LEAT_INTEGER || v->type == LEAT_REAL;
}

} // namespace leat_schemas
