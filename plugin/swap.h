/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How much swap a job may use beyond its cap, as users and administrators
 * write it: none, a size, or allow. Pure.
 */
#ifndef GBM_PLUGIN_SWAP_H
#define GBM_PLUGIN_SWAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plugin/size.h"

#define SWAP_TEXT_MAX 40 /* enough for any swap_text() */

enum swap_mode {
	SWAP_NONE,
	SWAP_SIZE, /* that many bytes beside the cap */
	SWAP_ALLOW /* what Slurm and the node allow */
};

struct swap {
	enum swap_mode mode;
	uint64_t bytes; /* SWAP_SIZE only, multiple of SIZE_ROUND, not 0 */
};

/* Sizes as size_parse() reads them, but no share of the node's memory; one of
 * less than SIZE_ROUND is none. OUT is written upon SIZE_OK only. */
enum size_status swap_parse(const char *text, size_t len, struct swap *out);

/* Does A let a job swap less than B does? */
bool swap_less(const struct swap *a, const struct swap *b);

/* "none", "512M" or "allow"; returns OUT. */
const char *swap_text(char out[SWAP_TEXT_MAX], const struct swap *swap);

#endif
