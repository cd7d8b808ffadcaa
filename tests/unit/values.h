/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_TESTS_VALUES_H
#define GBM_TESTS_VALUES_H

/* The rows of tests/kat/values.csv. */

struct value {
	char product[48];
	char id[48];
	char params[192]; /* name=text;name=text */
	char text[96];	  /* the published value as printed */
	double value;	  /* text as a number, or as far as it is one */
	double tolerance;
	int relative; /* the tolerance is */
};

/*
 * The row of a product that follows *after (NULL: the first), or NULL past the
 * last; static storage.  Aborts the program when the file cannot be read, has
 * a malformed row, or has no row of the product at all.
 */
const struct value *value_next(const struct value *after, const char *product);

/* A parameter as text, static until the next call; NULL when absent. */
const char *value_text(const struct value *v, const char *name);

/* As a number; aborts when it is absent or is none. */
double value_number(const struct value *v, const char *name);

#endif
