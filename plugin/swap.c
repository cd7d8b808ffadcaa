/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/swap.h"

#include <stdio.h>
#include <string.h>

#include "plugin/banned.h"

static bool word_is(const char *text, size_t len, const char *word)
{
	return len == strlen(word) && memcmp(text, word, len) == 0;
}

enum size_status swap_parse(const char *text, size_t len, struct swap *out)
{
	struct size size = { 0 };
	enum size_status status = SIZE_OK;

	if (word_is(text, len, "allow")) {
		out->mode = SWAP_ALLOW;
		out->bytes = 0;
		return SIZE_OK;
	}
	if (len > 0 && text[len - 1] == '%')
		return SIZE_SPELLING;
	if (!word_is(text, len, "none"))
		status = size_parse(text, len, &size);
	if (status != SIZE_OK)
		return status;
	out->bytes = size.bytes - size.bytes % SIZE_ROUND;
	out->mode = out->bytes > 0 ? SWAP_SIZE : SWAP_NONE;
	return SIZE_OK;
}

bool swap_less(const struct swap *a, const struct swap *b)
{
	if (a->mode != b->mode)
		return a->mode < b->mode;
	return a->bytes < b->bytes;
}

const char *swap_text(char out[SWAP_TEXT_MAX], const struct swap *swap)
{
	char size[SIZE_TEXT_MAX];

	switch (swap->mode) {
	case SWAP_SIZE:
		snprintf(out, SWAP_TEXT_MAX, "%s",
			 size_format(size, swap->bytes));
		break;
	case SWAP_ALLOW:
		snprintf(out, SWAP_TEXT_MAX, "allow");
		break;
	case SWAP_NONE:
	default:
		snprintf(out, SWAP_TEXT_MAX, "none");
		break;
	}
	return out;
}
