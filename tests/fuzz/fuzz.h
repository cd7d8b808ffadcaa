/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the fuzz targets share. Each is a file fuzz_NAME.c with one function,
 * which libFuzzer calls with made-up bytes (`make fuzz`) and replay.c with
 * those kept in corpus/NAME (`make check-unit`).
 */
#ifndef GBM_FUZZ_H
#define GBM_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(condition)                                                        \
	do {                                                                   \
		if (!(condition)) {                                            \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__,       \
				__LINE__, #condition);                         \
			abort();                                               \
		}                                                              \
	} while (0)

/* The length of a text that must be terminated within SIZE bytes. */
static inline size_t length(const char *text, size_t size)
{
	const char *end = memchr(text, '\0', size);

	must(end);
	return (size_t)(end - text);
}

/* What is said to people: something, terminated, on one line. */
static inline void must_be_sentence(const struct err *e)
{
	size_t len = length(e->text, sizeof(e->text));

	must(len > 0);
	for (size_t i = 0; i < len; i++)
		must(e->text[i] >= ' ' && e->text[i] <= '~');
}

/* Allocated to the byte, so that a sanitizer sees what is read beyond. */
static inline char *exact_copy(const char *text, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);

	must(copy);
	if (len > 0)
		memcpy(copy, text, len);
	return copy;
}

/* The same, terminated. */
static inline char *exact_string(const char *text, size_t len)
{
	char *copy = malloc(len + 1);

	must(copy);
	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

/* Where the first SEP of TEXT stands; LEN if there is none. */
static inline size_t find_byte(const char *text, size_t len, char sep)
{
	const char *at = len > 0 ? memchr(text, sep, len) : NULL;

	return at ? (size_t)(at - text) : len;
}

#endif
