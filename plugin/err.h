/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Error text of fixed size: no allocation, nothing to free, safe to keep in a
 * page shared with forked children. The text is always terminated, is one
 * sentence without a newline, and stays empty until err_set().
 */
#ifndef GBM_PLUGIN_ERR_H
#define GBM_PLUGIN_ERR_H

#include <stddef.h>

#define ERR_TEXT_MAX  384
#define ERR_QUOTE_MAX 64

struct err {
	char text[ERR_TEXT_MAX];
};

/*
 * Formats E's text (cut at its size) and returns -1, so that a caller can
 * write: return err_set(e, ...);
 */
int err_set(struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Copies LEN bytes of untrusted TEXT into OUT so that they can be printed:
 * control and non-ASCII bytes become '?', and what exceeds OUT is cut and ends
 * in "...". Returns OUT.
 */
const char *err_quote(char out[ERR_QUOTE_MAX], const char *text, size_t len);

/*
 * What the errno ERROR means, in English. strerror() allocates with
 * glibc 2.41 (not yet with 2.36).
 */
const char *err_cause(int error);

#endif
