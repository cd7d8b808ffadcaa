/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The words after spank_gbm.so in plugstack.conf, one a line. */
#include "plugin/conf.h"

#include "fuzz.h"

#define WORDS_MAX 24

static void must_be_plain(const char *path)
{
	size_t len = length(path, CONF_STATE_DIR_MAX);

	must(len > 1);
	must(path[0] == '/' && path[len - 1] != '/');
	must(!strstr(path, "//") && !strstr(path, "/./"));
	must(!strstr(path, "/../"));
	must(len < 2 || strcmp(path + len - 2, "/.") != 0);
	must(len < 3 || strcmp(path + len - 3, "/..") != 0);
}

static void must_be_swap(const struct swap *swap)
{
	must(swap->mode == SWAP_NONE || swap->mode == SWAP_SIZE ||
	     swap->mode == SWAP_ALLOW);
	must((swap->mode == SWAP_SIZE) == (swap->bytes > 0));
}

static void must_be_cap(const struct size *cap)
{
	must(cap->ppm <= SIZE_PPM_ALL && cap->bytes <= INT64_MAX);
	must(cap->ppm == 0 || cap->bytes == 0);
	must(cap->ppm > 0 || cap->bytes >= CONF_CAP_FLOOR);
}

static void must_be_settings(const struct conf *c)
{
	must_be_plain(c->state_dir);
	must(c->min_cap >= CONF_CAP_FLOOR && c->min_cap <= INT64_MAX);
	must_be_cap(&c->max_cap);
	if (c->default_cap.bytes > 0 || c->default_cap.ppm > 0)
		must_be_cap(&c->default_cap);
	must(c->reserve.ppm < SIZE_PPM_ALL && c->reserve.bytes <= INT64_MAX);
	must_be_swap(&c->swap_default);
	must_be_swap(&c->swap_max);
	must(c->fallback <= FALLBACK_OFF && c->oom <= OOM_JOB);
	must(c->report <= REPORT_JSON);
	for (uint64_t total = 1; total < INT64_MAX / 8; total *= 8)
		must(conf_usable(c, total) <= total);
}

/* With word SKIP left out, in the other order if BACK. */
static int parse(struct conf *c, char **words, int n, bool back, int skip)
{
	char *in_order[WORDS_MAX];
	struct err e = { { 0 } };
	int kept = 0, rc;

	for (int i = 0; i < n; i++) {
		int from = back ? n - 1 - i : i;

		if (from != skip)
			in_order[kept++] = words[from];
	}
	rc = conf_parse(c, kept, in_order, &e);
	if (rc < 0)
		must_be_sentence(&e);
	else
		must(rc == 0 && e.text[0] == '\0');
	/* Even when refused: some hooks go on with what it has got. */
	must_be_settings(c);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct conf conf, other;
	char *words[WORDS_MAX];
	struct err e;
	int n = 0;

	while (size > 0 && n < WORDS_MAX - 1) {
		size_t len = find_byte(text, size, '\n');

		words[n++] = exact_string(text, len);
		text += len + (len < size);
		size -= len + (len < size);
	}
	if (parse(&conf, words, n, false, -1) < 0 &&
	    __builtin_popcount(conf.seen) == n) {
		/* Each is good, but they contradict each other. */
		must(parse(&other, words, n, true, -1) < 0);
		must(memcmp(&conf, &other, sizeof(conf)) == 0);
	} else if (__builtin_popcount(conf.seen) < n) {
		int good = n - 1;

		/* All up to the bad word, and nothing of that. */
		while (good > 0 && parse(&other, words, good, false, -1) < 0 &&
		       __builtin_popcount(other.seen) < good)
			good--;
		if (good == 0)
			conf_init(&other);
		must(memcmp(&conf, &other, sizeof(conf)) == 0);
	} else {
		/* Their order says nothing, and each may be left out. */
		must(parse(&other, words, n, true, -1) == 0);
		must(memcmp(&conf, &other, sizeof(conf)) == 0);
		for (int i = 0; i < n; i++) {
			must(parse(&other, words, n, false, i) == 0);
			must(conf_arg(&conf, words[i], strlen(words[i]), &e) <
			     0);
			must_be_sentence(&e);
		}
	}
	while (n > 0)
		free(words[--n]);
	return 0;
}
