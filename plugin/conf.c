/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* strnlen */
#endif

#include "plugin/conf.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "plugin/size.h"

#include "plugin/banned.h"

#define WORD_MAX 4096

typedef int setter(struct conf *c, const char *value, size_t len,
		   struct err *e);

/* Each component is a plain name: no "//", ".", ".." nor trailing slash. */
static bool is_plain_path(const char *path, size_t len)
{
	size_t start = 1;

	if (len < 2 || path[0] != '/')
		return false;
	for (size_t i = 1; i <= len; i++) {
		if (i < len && path[i] != '/') {
			if (path[i] <= ' ' || path[i] > '~')
				return false;
			continue;
		}
		if (i == start || (i - start == 1 && path[start] == '.') ||
		    (i - start == 2 && path[start] == '.' &&
		     path[start + 1] == '.'))
			return false;
		start = i + 1;
	}
	return true;
}

static int set_state_dir(struct conf *c, const char *value, size_t len,
			 struct err *e)
{
	char quoted[ERR_QUOTE_MAX];

	if (len >= sizeof(c->state_dir) || !is_plain_path(value, len))
		return err_set(e,
			       "plugstack.conf: state_dir=%s must be an "
			       "absolute path without '.', '..' or a slash at "
			       "its end, of less than %d characters",
			       err_quote(quoted, value, len),
			       CONF_STATE_DIR_MAX);
	memcpy(c->state_dir, value, len);
	c->state_dir[len] = '\0';
	return 0;
}

static int set_min_cap(struct conf *c, const char *value, size_t len,
		       struct err *e)
{
	char quoted[ERR_QUOTE_MAX], floor[SIZE_TEXT_MAX];
	struct size size = { 0 };

	if (size_parse(value, len, &size) != SIZE_OK ||
	    size.bytes < CONF_CAP_FLOOR)
		return err_set(e,
			       "plugstack.conf: min_cap=%s must be a size of "
			       "at least %s, such as 64M",
			       err_quote(quoted, value, len),
			       size_format(floor, CONF_CAP_FLOOR));
	c->min_cap = size.bytes;
	return 0;
}

static const struct {
	const char *key;
	setter *set;
} keys[] = {
	{ "state_dir", set_state_dir },
	{ "min_cap", set_min_cap },
};

void conf_init(struct conf *c)
{
	memset(c, 0, sizeof(*c));
	memcpy(c->state_dir, CONF_STATE_DIR, sizeof(CONF_STATE_DIR));
	c->min_cap = CONF_CAP_FLOOR;
}

int conf_arg(struct conf *c, const char *word, size_t len, struct err *e)
{
	const char *eq = len > 0 ? memchr(word, '=', len) : NULL;
	size_t key_len = eq ? (size_t)(eq - word) : len;
	char quoted[ERR_QUOTE_MAX];

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		unsigned bit = 1U << i;

		if (!eq || strlen(keys[i].key) != key_len ||
		    memcmp(keys[i].key, word, key_len) != 0)
			continue;
		if (c->seen & bit)
			return err_set(e, "plugstack.conf: %s= is given twice",
				       keys[i].key);
		c->seen |= bit;
		return keys[i].set(c, eq + 1, len - key_len - 1, e);
	}
	return err_set(e,
		       "plugstack.conf: '%s' is not an argument of "
		       "spank_gbm.so: use state_dir=PATH or min_cap=SIZE",
		       err_quote(quoted, word, len));
}

int conf_parse(struct conf *c, int ac, char **av, struct err *e)
{
	conf_init(c);
	for (int i = 0; i < ac; i++)
		if (conf_arg(c, av[i], strnlen(av[i], WORD_MAX), e) < 0)
			return -1;
	return 0;
}
