/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A copy of a tree of tests/fixtures that stands for a machine's root. Each
 * test runs in a process of its own and has one at the most.
 */
#ifndef GBM_TESTS_UNIT_TREE_H
#define GBM_TESTS_UNIT_TREE_H

#include <stdint.h>

/* NAME is below tests/fixtures; NULL: an empty one. Returns the root's
 * descriptor. */
int tree_open(const char *name);

/* For a checked fixture: whatever the test has opened is gone. */
void tree_close(void);

/* The number in DIR/FILE. */
uint64_t tree_get(const char *dir, const char *file);

void tree_put(const char *dir, const char *file, const char *text);
void tree_put_u64(const char *dir, const char *file, uint64_t v);
void tree_remove(const char *path);

#endif
