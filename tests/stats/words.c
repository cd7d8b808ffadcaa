/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Raw words of the paths' streams on stdout, 64 bits little-endian, for as long
 * as somebody reads them, for batteries that read a pipe:
 *
 *	words single|paths|starts|seeds|thirds SEED [PART]
 *
 * single	one stream
 * paths	4096 neighbouring paths by turns, a word each
 * starts	the first 32 words of 8 streams, then of the next 8, ...: what
 *		paths of one step use
 * seeds	the same 8 streams of 4096 neighbouring seeds by turns
 * thirds	the third word of the state that a stream begins with, of one
 *		stream after the other
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/stats/order.h"

int main(int argc, char **argv)
{
	const struct order *order = argc > 2 ? order_find(argv[1]) : NULL;
	static uint64_t w[ORDER_WORDS];

	if (!order || argc > 4) {
		fprintf(stderr, "usage: words "
				"single|paths|starts|seeds|thirds SEED "
				"[PART]\n");
		return EXIT_FAILURE;
	}
	order->start(strtoull(argv[2], NULL, 10),
		     argc > 3 ? strtoull(argv[3], NULL, 10) : 0);
	do
		order->next(w);
	while (fwrite(w, sizeof(*w), ORDER_WORDS, stdout) == ORDER_WORDS);
	return EXIT_SUCCESS;
}
