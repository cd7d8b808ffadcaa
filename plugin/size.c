/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/size.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "plugin/banned.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * 1024)
#define GIB (MIB * 1024)
#define TIB (GIB * 1024)

/*
 * Six digits keep FRACTION * unit below 2^63 up to T, and give parts per
 * million of a percentage with two digits to spare.
 */
#define FRACTION_DIGITS 6
#define FRACTION_ONE	UINT64_C(1000000)

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static uint64_t unit_of(char c)
{
	switch (c) {
	case 'K':
	case 'k':
		return KIB;
	case 'M':
	case 'm':
		return MIB;
	case 'G':
	case 'g':
		return GIB;
	case 'T':
	case 't':
		return TIB;
	default:
		return 0;
	}
}

enum size_status size_parse(const char *text, size_t len, struct size *out)
{
	uint64_t whole = 0, fraction = 0, unit = MIB;
	bool huge = false, percent = false;
	size_t i = 0;

	for (; i < len && is_digit(text[i]); i++) {
		uint64_t digit = (uint64_t)(text[i] - '0');

		/* Read on: "9…9x" is a wrong spelling, not a large size. */
		if (whole > (INT64_MAX - digit) / 10)
			huge = true;
		else
			whole = whole * 10 + digit;
	}
	if (i == 0 || len > SIZE_SPELLED_MAX)
		return SIZE_SPELLING;
	if (i < len && text[i] == '.') {
		size_t first = ++i;

		for (; i < len && is_digit(text[i]); i++)
			if (i - first < FRACTION_DIGITS)
				fraction = fraction * 10 +
					   (uint64_t)(text[i] - '0');
		if (i == first)
			return SIZE_SPELLING;
		for (size_t n = i - first; n < FRACTION_DIGITS; n++)
			fraction *= 10;
	}
	if (i < len) {
		percent = text[i] == '%';
		if (!percent) {
			unit = unit_of(text[i]);
			if (unit == 0)
				return SIZE_SPELLING;
		}
		i++;
	}
	if (i != len)
		return SIZE_SPELLING;
	if (percent) {
		if (huge || whole > 100 || (whole == 100 && fraction > 0))
			return SIZE_TOO_LARGE;
		out->bytes = 0;
		out->ppm = (uint32_t)(whole * 10000 + fraction / 100);
		return SIZE_OK;
	}
	/* unit is a power of two: what the fraction adds still fits. */
	if (huge || whole > INT64_MAX / unit)
		return SIZE_TOO_LARGE;
	out->bytes = whole * unit + fraction * unit / FRACTION_ONE;
	out->ppm = 0;
	return SIZE_OK;
}

uint64_t size_bytes(const struct size *size, uint64_t all)
{
	if (size->ppm == 0)
		return size->bytes;
	/* Divided first: the product may not fit. */
	return all / SIZE_PPM_ALL * size->ppm +
	       all % SIZE_PPM_ALL * size->ppm / SIZE_PPM_ALL;
}

const char *size_format(char out[SIZE_TEXT_MAX], uint64_t bytes)
{
	uint64_t unit = KIB;
	char letter = 'K';

	if (bytes >= TIB && bytes % TIB == 0) {
		unit = TIB;
		letter = 'T';
	} else if (bytes >= GIB && bytes % GIB == 0) {
		unit = GIB;
		letter = 'G';
	} else if (bytes >= MIB) {
		unit = MIB;
		letter = 'M';
	}
	snprintf(out, SIZE_TEXT_MAX, "%" PRIu64 "%c",
		 bytes / unit + (bytes % unit >= unit / 2), letter);
	return out;
}
