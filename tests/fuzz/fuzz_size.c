/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A size as a user writes it, and sizes as they are written for him. */
#define _POSIX_C_SOURCE 200809L /* regcomp */
#include <regex.h>

#include "plugin/size.h"
#include "plugin/swap.h"

#include "fuzz.h"

__extension__ typedef unsigned __int128 wide;

/* The grammar of size.h once more, by other means. */
static bool is_spelled_well(const char *text, size_t len)
{
	static regex_t good;
	static bool compiled;
	char line[SIZE_SPELLED_MAX + 1];

	if (!compiled)
		must(regcomp(&good,
			     "^[0-9][0-9]*(\\.[0-9][0-9]*)?[KkMmGgTt%]?$",
			     REG_EXTENDED | REG_NOSUB) == 0);
	compiled = true;
	if (len >= sizeof(line) || memchr(text, '\0', len))
		return false;
	memcpy(line, text, len);
	line[len] = '\0';
	return regexec(&good, line, 0, NULL, 0) == 0;
}

static wide unit_of(char last)
{
	static const char letters[] = "KMGT";
	const char *at = last ? strchr(letters, last & ~0x20) : NULL;

	return (wide)1 << (at ? 10 * (at - letters + 1) : 20);
}

/*
 * TEXT is well spelled: what it says, in millionths of a byte (of a percent if
 * it ends in '%'), with what it has of digits after the sixth left out.
 */
static wide millionths(const char *text, size_t len)
{
	wide value = 0;
	int digits = -1; /* after the point */

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '.')
			digits = 0;
		else if (text[i] < '0' || text[i] > '9' || digits == 6)
			continue;
		else if (value > (wide)1 << 84)
			continue; /* much too large already */
		else
			value = value * 10 + (unsigned)(text[i] - '0');
		if (digits >= 0 && text[i] != '.')
			digits++;
	}
	for (digits = digits < 0 ? 0 : digits; digits < 6; digits++)
		value *= 10;
	return text[len - 1] == '%' ? value : value * unit_of(text[len - 1]);
}

static void check_format(uint64_t bytes)
{
	char text[SIZE_TEXT_MAX];
	struct size again = { 0 };
	uint64_t off;

	must(size_format(text, bytes) == text);
	must(length(text, sizeof(text)) > 0);
	/* What is rounded up to 2^63 is for people only. */
	if (bytes > INT64_MAX - (1 << 20))
		return;
	must(size_parse(text, strlen(text), &again) == SIZE_OK);
	must(again.ppm == 0);
	off = again.bytes > bytes ? again.bytes - bytes : bytes - again.bytes;
	must(off <= (bytes >= 1 << 20 ? 1 << 19 : 1 << 9));
}

static void check_swap(const char *text, size_t len, enum size_status status,
		       const struct size *size)
{
	struct swap swap = { SWAP_SIZE, 77 }, again;
	enum size_status got = swap_parse(text, len, &swap);
	char out[SWAP_TEXT_MAX];

	if (got != SIZE_OK) {
		must(swap.mode == SWAP_SIZE && swap.bytes == 77);
		must(status != SIZE_OK || size->ppm > 0 ||
		     text[len - 1] == '%');
		return;
	}
	must((swap.mode == SWAP_SIZE) == (swap.bytes > 0));
	must(swap.bytes % SIZE_ROUND == 0);
	if (status == SIZE_OK)
		must(swap.bytes <= size->bytes &&
		     size->bytes - swap.bytes < SIZE_ROUND);
	swap_text(out, &swap);
	if (swap.bytes < INT64_MAX - (1 << 20)) {
		must(swap_parse(out, strlen(out), &again) == SIZE_OK);
		must(again.mode == swap.mode);
	}
	must(!swap_less(&swap, &swap));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct size out = { 77, 77 };
	enum size_status status = size_parse(text, size, &out);
	uint64_t bytes = 0;

	if (status != SIZE_OK)
		must(out.bytes == 77 && out.ppm == 77);
	check_swap(text, size, status, &out);
	memcpy(&bytes, data, size < sizeof(bytes) ? size : sizeof(bytes));
	check_format(bytes);
	must((status == SIZE_SPELLING) == !is_spelled_well(text, size));
	if (status == SIZE_SPELLING)
		return 0;
	if (text[size - 1] == '%') {
		must((status == SIZE_OK) ==
		     (millionths(text, size) <= 100 * 1000000));
		if (status == SIZE_OK)
			must(out.bytes == 0 &&
			     out.ppm == millionths(text, size) / 100);
	} else if (status == SIZE_OK) {
		must(out.ppm == 0 && out.bytes <= INT64_MAX);
		must(out.bytes == millionths(text, size) / 1000000);
		check_format(out.bytes);
		must(size_bytes(&out, bytes) == out.bytes);
	} else {
		/* What is after the point does not count here. */
		must(millionths(text, size) / 1000000 >=
		     INT64_MAX / unit_of(text[size - 1]) *
			     unit_of(text[size - 1]));
	}
	if (status == SIZE_OK && out.ppm > 0)
		must(size_bytes(&out, bytes) ==
		     (wide)bytes * out.ppm / SIZE_PPM_ALL);
	return 0;
}
