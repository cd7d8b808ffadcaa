/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_TESTS_ISA_HASH_H
#define GBM_TESTS_ISA_HASH_H

#include <stddef.h>

/* Adds the bytes to the one hash that the program keeps. */
void hash_add(const void *data, size_t bytes);

/* Adds what the public calls give: calls.c. */
void hash_calls(void);

#endif
