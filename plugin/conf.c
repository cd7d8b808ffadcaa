/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* strnlen */
#endif

#include "plugin/conf.h"

#include <stdio.h>
#include <string.h>

#include "plugin/banned.h"

#define WORD_MAX 4096

typedef int setter(struct conf *c, const char *value, size_t len,
		   struct err *e);

static bool word_is(const char *text, size_t len, const char *word)
{
	return len == strlen(word) && memcmp(text, word, len) == 0;
}

/* The place of TEXT among the N words, or -1. */
static int find_word(const char *text, size_t len, const char *const *words,
		     size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (word_is(text, len, words[i]))
			return (int)i;
	return -1;
}

static int bad_value(struct err *e, const char *key, const char *value,
		     size_t len, const char *wanted)
{
	char quoted[ERR_QUOTE_MAX];

	return err_set(e, "plugstack.conf: %s=%s must be %s", key,
		       err_quote(quoted, value, len), wanted);
}

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
	struct size size = { 0 };

	if (size_parse(value, len, &size) != SIZE_OK ||
	    size.bytes < CONF_CAP_FLOOR)
		return bad_value(e, "min_cap", value, len,
				 "a size of at least 32M, such as 64M");
	c->min_cap = size.bytes;
	return 0;
}

/* A cap: a size or a share; "max" is all that jobs may use. */
static bool read_cap(const char *value, size_t len, struct size *out)
{
	if (word_is(value, len, "max")) {
		out->bytes = 0;
		out->ppm = SIZE_PPM_ALL;
		return true;
	}
	return size_parse(value, len, out) == SIZE_OK &&
	       (out->ppm > 0 || out->bytes >= CONF_CAP_FLOOR);
}

static int set_max_cap(struct conf *c, const char *value, size_t len,
		       struct err *e)
{
	if (!read_cap(value, len, &c->max_cap))
		return bad_value(e, "max_cap", value, len,
				 "a size of at least 32M, such as 1500M, a "
				 "share such as 80%, or max");
	return 0;
}

static int set_default_cap(struct conf *c, const char *value, size_t len,
			   struct err *e)
{
	if (word_is(value, len, "none"))
		return 0;
	if (!read_cap(value, len, &c->default_cap))
		return bad_value(e, "default_cap", value, len,
				 "a size of at least 32M, such as 1G, a share "
				 "such as 50%, max, or none");
	return 0;
}

static int set_reserve(struct conf *c, const char *value, size_t len,
		       struct err *e)
{
	c->guard = !word_is(value, len, "none");
	if (c->guard && (size_parse(value, len, &c->reserve) != SIZE_OK ||
			 (c->reserve.bytes == 0 && c->reserve.ppm == 0) ||
			 c->reserve.ppm == SIZE_PPM_ALL))
		return bad_value(e, "reserve", value, len,
				 "a size such as 256M, a share such as 15%, "
				 "or none");
	return 0;
}

static int read_swap(struct err *e, const char *key, const char *value,
		     size_t len, struct swap *out)
{
	if (swap_parse(value, len, out) != SIZE_OK)
		return bad_value(e, key, value, len,
				 "none, allow, or a size such as 512M");
	return 0;
}

static int set_swap_default(struct conf *c, const char *value, size_t len,
			    struct err *e)
{
	return read_swap(e, "swap_default", value, len, &c->swap_default);
}

static int set_swap_max(struct conf *c, const char *value, size_t len,
			struct err *e)
{
	return read_swap(e, "swap_max", value, len, &c->swap_max);
}

static int set_fallback(struct conf *c, const char *value, size_t len,
			struct err *e)
{
	static const char *const words[] = { [FALLBACK_RLIMIT] = "rlimit",
					     [FALLBACK_REFUSE] = "refuse",
					     [FALLBACK_OFF] = "off" };
	int i = find_word(value, len, words, 3);

	if (i < 0)
		return bad_value(e, "fallback", value, len,
				 "rlimit, refuse or off");
	c->fallback = (enum conf_fallback)i;
	return 0;
}

static int set_on_error(struct conf *c, const char *value, size_t len,
			struct err *e)
{
	c->warn = word_is(value, len, "warn");
	if (!c->warn && !word_is(value, len, "refuse"))
		return bad_value(e, "on_error", value, len, "refuse or warn");
	return 0;
}

static int set_oom(struct conf *c, const char *value, size_t len, struct err *e)
{
	static const char *const words[] = {
		[OOM_STEP] = "step", [OOM_TASK] = "task", [OOM_JOB] = "job"
	};
	int i = find_word(value, len, words, 3);

	if (i < 0)
		return bad_value(e, "oom", value, len, "task, step or job");
	c->oom = (enum conf_oom)i;
	return 0;
}

static const char *const reports[] = { [REPORT_OFF] = "off",
				       [REPORT_SUMMARY] = "summary",
				       [REPORT_JSON] = "json" };

bool conf_report_word(const char *text, size_t len, enum conf_report *out)
{
	int i = find_word(text, len, reports, 3);

	if (i >= 0)
		*out = (enum conf_report)i;
	return i >= 0;
}

const char *conf_report_text(enum conf_report report)
{
	return reports[report];
}

static int set_report(struct conf *c, const char *value, size_t len,
		      struct err *e)
{
	if (!conf_report_word(value, len, &c->report))
		return bad_value(e, "report", value, len,
				 "off, summary or json");
	return 0;
}

static int read_yes_no(struct err *e, const char *key, const char *value,
		       size_t len, bool *out)
{
	*out = word_is(value, len, "yes");
	if (!*out && !word_is(value, len, "no"))
		return bad_value(e, key, value, len, "yes or no");
	return 0;
}

static int set_syslog(struct conf *c, const char *value, size_t len,
		      struct err *e)
{
	return read_yes_no(e, "syslog", value, len, &c->syslog);
}

static int set_drain(struct conf *c, const char *value, size_t len,
		     struct err *e)
{
	return read_yes_no(e, "drain", value, len, &c->drain);
}

static const struct {
	const char *key;
	setter *set;
} keys[] = {
	{ "state_dir", set_state_dir },
	{ "min_cap", set_min_cap },
	{ "max_cap", set_max_cap },
	{ "default_cap", set_default_cap },
	{ "swap_default", set_swap_default },
	{ "swap_max", set_swap_max },
	{ "reserve", set_reserve },
	{ "fallback", set_fallback },
	{ "on_error", set_on_error },
	{ "oom", set_oom },
	{ "report", set_report },
	{ "syslog", set_syslog },
	{ "drain", set_drain },
};

void conf_init(struct conf *c)
{
	memset(c, 0, sizeof(*c));
	memcpy(c->state_dir, CONF_STATE_DIR, sizeof(CONF_STATE_DIR));
	c->min_cap = CONF_CAP_FLOOR;
	c->max_cap.ppm = SIZE_PPM_ALL;
	c->guard = true;
	c->swap_max.mode = SWAP_ALLOW;
	c->report = REPORT_SUMMARY;
}

int conf_arg(struct conf *c, const char *word, size_t len, struct err *e)
{
	const char *eq = len > 0 ? memchr(word, '=', len) : NULL;
	size_t key_len = eq ? (size_t)(eq - word) : len;
	const struct conf before = *c;
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
		if (keys[i].set(c, eq + 1, len - key_len - 1, e) == 0)
			return 0;
		*c = before;
		return -1;
	}
	return err_set(e,
		       "plugstack.conf: '%s' is not an argument of "
		       "spank_gbm.so: spank_gbm(8) lists them",
		       err_quote(quoted, word, len));
}

/* Of two caps, where the same is true on every node. */
static bool is_above(const struct size *a, const struct size *b)
{
	return b->ppm == 0 ? a->bytes > b->bytes : a->ppm > b->ppm;
}

static int check_bounds(const struct conf *c, struct err *e)
{
	const struct size min = { c->min_cap, 0 };
	bool has_default = c->default_cap.bytes > 0;

	if (c->max_cap.ppm == 0 && is_above(&min, &c->max_cap))
		return err_set(e, "plugstack.conf: max_cap= is below min_cap=");
	if (has_default && is_above(&min, &c->default_cap))
		return err_set(e, "plugstack.conf: default_cap= is below "
				  "min_cap=");
	if (c->default_cap.ppm != SIZE_PPM_ALL &&
	    is_above(&c->default_cap, &c->max_cap))
		return err_set(e, "plugstack.conf: default_cap= is above "
				  "max_cap=");
	if (swap_less(&c->swap_max, &c->swap_default))
		return err_set(e, "plugstack.conf: swap_default= is above "
				  "swap_max=");
	return 0;
}

int conf_parse(struct conf *c, int ac, char **av, struct err *e)
{
	conf_init(c);
	for (int i = 0; i < ac; i++)
		if (conf_arg(c, av[i], strnlen(av[i], WORD_MAX), e) < 0)
			return -1;
	return check_bounds(c, e);
}

uint64_t conf_usable(const struct conf *c, uint64_t total)
{
	const struct size share = { 0, CONF_RESERVE_PPM };
	uint64_t reserve = size_bytes(&c->reserve, total);

	if (!c->guard)
		return total;
	if (reserve == 0) {
		reserve = size_bytes(&share, total);
		if (reserve < CONF_RESERVE_BYTES)
			reserve = CONF_RESERVE_BYTES;
	}
	return reserve < total ? total - reserve : 0;
}
