/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* strerrordesc_np */
#endif
#include "plugin/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "plugin/banned.h"

int err_set(struct err *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(e->text, sizeof(e->text), fmt, ap) < 0)
		e->text[0] = '\0';
	va_end(ap);
	return -1;
}

const char *err_cause(int error)
{
	const char *text = strerrordesc_np(error);

	return text ? text : "unknown error";
}

const char *err_quote(char out[ERR_QUOTE_MAX], const char *text, size_t len)
{
	static const char more[] = "...";
	size_t room = ERR_QUOTE_MAX - 1;
	size_t keep = len > room ? room - (sizeof(more) - 1) : len;

	for (size_t i = 0; i < keep; i++) {
		unsigned char c = (unsigned char)text[i];

		out[i] = c >= 0x20 && c < 0x7f ? (char)c : '?';
	}
	out[keep] = '\0';
	if (keep < len)
		memcpy(out + keep, more, sizeof(more));
	return out;
}
