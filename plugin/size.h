/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sizes as users write them. Pure: no allocation, no locale, no errno; the text
 * need not be terminated and may hold any bytes.
 */
#ifndef GBM_PLUGIN_SIZE_H
#define GBM_PLUGIN_SIZE_H

#include <stddef.h>
#include <stdint.h>

#define SIZE_TEXT_MAX 32 /* enough for any size_format() result */

/*
 * Limits are multiples of this, the largest page of the kernels in question:
 * the kernel rounds a limit down to its pages, and what was written must be
 * what is read back.
 */
#define SIZE_ROUND (UINT64_C(64) << 10)

#define SIZE_PPM_ALL UINT32_C(1000000)

/* Exactly one of the two is set, unless the size is zero. */
struct size {
	uint64_t bytes; /* at most INT64_MAX, the kernel's own bound */
	uint32_t ppm;	/* share of some memory, SIZE_PPM_ALL = all of it */
};

enum size_status {
	SIZE_OK,
	SIZE_SPELLING, /* not a size at all */
	SIZE_TOO_LARGE /* more than INT64_MAX bytes, or more than 100 % */
};

/*
 * Reads NUMBER[.FRACTION][K|M|G|T|%]: binary units, letters of either case, a
 * plain number in megabytes as in Slurm's --mem. Signs, spaces, exponents and
 * a missing digit on either side of the point are refused. Digits of the
 * fraction beyond the sixth are dropped, so the result is never above what was
 * written. OUT is written upon SIZE_OK only.
 *
 * More than SIZE_SPELLED_MAX characters are refused, however good: a caller who
 * bounds what he hands over must not have its end dropped unseen.
 */
#define SIZE_SPELLED_MAX 64
enum size_status size_parse(const char *text, size_t len, struct size *out);

/* SIZE in bytes, where ALL is what a share is of; rounded down. */
uint64_t size_bytes(const struct size *size, uint64_t all);

/*
 * Writes BYTES for people: a whole number of T or G as such ("2G"), anything
 * else rounded to the nearest M ("1500M"), below 1M to K. Returns OUT.
 */
const char *size_format(char out[SIZE_TEXT_MAX], uint64_t bytes);

#endif
