/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_TESTS_STATS_ORDER_H
#define GBM_TESTS_STATS_ORDER_H

/* Words of the paths' streams, put in an order in which faults would show. */

#include <stddef.h>
#include <stdint.h>

#define ORDER_WORDS 32768

struct order {
	const char *name;

	/* Begins at the first word.  Parts of an order share no word. */
	void (*start)(uint64_t seed, uint64_t part);

	/* The next ORDER_WORDS words. */
	void (*next)(uint64_t *w);
};

/* Stored statically; NULL when there is none of that name. */
const struct order *order_find(const char *name);

#endif
