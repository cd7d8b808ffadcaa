/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE
#include <inttypes.h>
#include <locale.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libgbm/manifest.h"
#include "libgbm/npy.h"

#define FORMAT	"gbm-mc samples"
#define VERSION 1

/* Blocks of rows for checksums are about this large in small files. */
#define BLOCK_BYTES (UINT64_C(4) << 20)

#define MAX_DEPTH 8

static const char *const saves[] = { "terminal", "paths" };
static const char *const dtypes[] = { "f8", "f4" };
static const char *const payoffs[] = { "terminal", "call", "put", "asian-call",
				       "asian-put" };

const char *gbm_save_name(enum gbm_save save)
{
	return saves[save];
}

const char *gbm_dtype_name(enum gbm_dtype dtype)
{
	return dtypes[dtype];
}

uint64_t gbm_manifest_row_bytes(const struct gbm_manifest *m)
{
	return (m->columns ? m->columns : 1) * (m->dtype == GBM_F4 ? 4 : 8);
}

uint64_t gbm_manifest_layout(struct gbm_manifest *m)
{
	uint64_t row, bytes;

	/* steps <= 2^40: no overflow in a row. */
	m->columns = m->save == GBM_SAVE_PATHS ? m->model.steps + 1 : 0;
	row = gbm_manifest_row_bytes(m);
	if (__builtin_mul_overflow(m->rows, row, &bytes) ||
	    bytes > INT64_MAX - GBM_SAMPLES_CELL || m->rows == 0)
		return 0;
	m->block_rows = 1;
	while (m->block_rows * 2 * row <= BLOCK_BYTES)
		m->block_rows *= 2;
	while ((m->rows - 1) / m->block_rows >= GBM_MANIFEST_BLOCKS)
		m->block_rows *= 2;
	m->n_blocks = (uint32_t)((m->rows - 1) / m->block_rows + 1);
	return bytes + GBM_NPY_DATA;
}

void gbm_manifest_shard(const struct gbm_manifest *m, unsigned shard,
			uint64_t *first_path, uint64_t *rows)
{
	const uint64_t size = GBM_BLOCK_PATHS;
	uint64_t base = m->first_path - m->first_path % size;
	uint64_t end = m->first_path + m->rows, begin, stop;
	uint64_t blocks = (end - base + size - 1) / size;
	uint64_t each = blocks / m->shards, extra = blocks % m->shards;

	begin = shard * each + (shard < extra ? shard : extra);
	stop = base + (begin + each + (shard < extra)) * size;
	begin = base + begin * size;
	stop = stop < end ? stop : end;
	begin = begin > m->first_path ? begin : m->first_path;
	*first_path = begin < stop ? begin : stop;
	*rows = stop - *first_path;
}

char *gbm_manifest_shard_name(const char *file, unsigned shard)
{
	static const char suffix[] = ".npy";
	size_t n = strlen(file), cut = sizeof(suffix) - 1;
	char *name;

	if (n > cut && strcmp(file + n - cut, suffix) == 0)
		n -= cut;
	if (asprintf(&name, "%.*s.%u%s", (int)n, file, shard, suffix) < 0)
		return NULL;
	return name;
}

/* ---- writing */

/* JSON has a point in its numbers, whatever the program's locale has. */
static locale_t point_locale(locale_t *c)
{
	*c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	return uselocale(*c);
}

static void restore_locale(locale_t before, locale_t c)
{
	uselocale(before);
	if (c)
		freelocale(c);
}

struct text {
	char *text;
	size_t n, size;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t,
						      const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = t->n < t->size
		    ? vsnprintf(t->text + t->n, t->size - t->n, format, ap)
		    : 0;
	va_end(ap);
	t->n += n > 0 ? (size_t)n : 0;
}

static void print_number(struct text *out, const char *name, double x)
{
	if (isfinite(x))
		add(out, "\"%s\": %.17g", name, x);
	else
		add(out, "\"%s\": null", name);
}

/* Bytes beyond ASCII stay as they are: names are UTF-8, if anything. */
static void print_string(struct text *out, const char *text)
{
	add(out, "\"");
	for (; *text; text++)
		if (*text == '"' || *text == '\\')
			add(out, "\\%c", *text);
		else if ((unsigned char)*text < ' ')
			add(out, "\\u%04x", (unsigned)*text);
		else
			add(out, "%c", *text);
	add(out, "\"");
}

static void print_model(struct text *out, const struct gbm_model *model)
{
	add(out, "  \"model\": {");
	print_number(out, "spot", model->spot);
	add(out, ", ");
	print_number(out, "rate", model->rate);
	add(out, ", ");
	print_number(out, "dividend", model->dividend);
	add(out, ",\n    ");
	print_number(out, "drift", model->drift);
	add(out, ", ");
	print_number(out, "vol", model->vol);
	add(out, ", ");
	print_number(out, "horizon", model->horizon);
	add(out, ", \"steps\": %" PRIu64 "},\n", model->steps);
}

static void print_checksums(struct text *out, const struct gbm_manifest *m)
{
	add(out, ",\n  \"crc32c\": [");
	for (uint32_t i = 0; i < m->n_blocks; i++)
		add(out, "%s%s\"%08" PRIx32 "\"", i ? "," : "",
		    i % 6 ? " " : "\n    ", m->crc[i]);
	add(out, "\n  ]");
}

static void print_shards(struct text *out, const struct gbm_manifest *m,
			 const char *name)
{
	uint64_t first, rows;

	add(out, "  \"shards\": [");
	for (unsigned i = 0; i < m->shards; i++) {
		char *file = gbm_manifest_shard_name(name, i);

		gbm_manifest_shard(m, i, &first, &rows);
		add(out, "%s\n    {\"file\": ", i ? "," : "");
		print_string(out, file ? file : "");
		add(out,
		    ", \"first_path\": %" PRIu64 ", \"rows\": %" PRIu64 "}",
		    first, rows);
		free(file);
	}
	add(out, "\n  ],\n");
}

size_t gbm_manifest_print(const struct gbm_manifest *m, const char *name,
			  char *text, size_t size)
{
	const struct gbm_functional *f = m->functional;
	struct text print = { text, 0, size }, *out = &print;
	locale_t c, before = point_locale(&c);

	add(out, "{\n  \"format\": \"%s\", \"version\": %d,\n", FORMAT,
	    VERSION);
	add(out, "  \"complete\": %s,\n", m->complete ? "true" : "false");
	add(out, "  \"file\": ");
	print_string(out, name);
	add(out, ",\n  \"stream_version\": %d,\n", m->stream_version);
	add(out, "  \"seed\": %" PRIu64 ",\n", m->seed);
	print_model(out, &m->model);
	if (f && f->fn)
		add(out, "  \"payoff\": null,\n");
	else if (f) {
		add(out, "  \"payoff\": \"%s\", ", payoffs[f->payoff]);
		print_number(out, "strike", f->strike);
		add(out, ",\n");
	}
	if (m->shards)
		print_shards(out, m, name);
	add(out, "  \"save\": \"%s\", \"dtype\": \"%s\",\n", saves[m->save],
	    dtypes[m->dtype]);
	add(out, "  \"first_path\": %" PRIu64 ", \"shape\": [%" PRIu64,
	    m->first_path, m->rows);
	if (m->columns)
		add(out, ", %" PRIu64, m->columns);
	add(out, "],\n  \"data_offset\": %d, \"block_rows\": %" PRIu64,
	    GBM_NPY_DATA, m->block_rows);
	if (m->complete)
		print_checksums(out, m);
	else
		add(out, ",\n  \"ticket\": %" PRIu64, m->ticket);
	add(out, "\n}\n");
	restore_locale(before, c);
	return print.n < size ? print.n : 0;
}

/* ---- reading */

/* Where a member goes, by its name and those of the objects around it. */
enum kind { NUMBER, COUNT, WORD, FLAG, TEXT, SHAPE, CHECKSUM, SHARD };

struct member {
	const char *path;
	enum kind kind;
	size_t at; /* offset in struct gbm_manifest */
	bool optional;
	const char *const *words;
	size_t n_words;
};

#define AT(member) offsetof(struct gbm_manifest, member)

static const struct member members[] = {
	{ ".format", TEXT, 0, false, NULL, 0 },
	{ ".complete", FLAG, AT(complete), false, NULL, 0 },
	{ ".seed", COUNT, AT(seed), false, NULL, 0 },
	{ ".model.spot", NUMBER, AT(model.spot), false, NULL, 0 },
	{ ".model.rate", NUMBER, AT(model.rate), false, NULL, 0 },
	{ ".model.dividend", NUMBER, AT(model.dividend), false, NULL, 0 },
	{ ".model.drift", NUMBER, AT(model.drift), false, NULL, 0 },
	{ ".model.vol", NUMBER, AT(model.vol), false, NULL, 0 },
	{ ".model.horizon", NUMBER, AT(model.horizon), false, NULL, 0 },
	{ ".model.steps", COUNT, AT(model.steps), false, NULL, 0 },
	{ ".save", WORD, AT(save), false, saves, 2 },
	{ ".dtype", WORD, AT(dtype), false, dtypes, 2 },
	{ ".first_path", COUNT, AT(first_path), false, NULL, 0 },
	{ ".block_rows", COUNT, AT(block_rows), false, NULL, 0 },
	{ ".shape[]", SHAPE, 0, false, NULL, 0 },
	{ ".crc32c[]", CHECKSUM, 0, true, NULL, 0 },
	{ ".shards[].first_path", SHARD, 0, true, NULL, 0 },
	{ ".ticket", COUNT, AT(ticket), true, NULL, 0 },
	{ ".version", COUNT, SIZE_MAX, false, NULL, 0 },
	{ ".stream_version", COUNT, SIZE_MAX - 1, false, NULL, 0 },
};

#define N_MEMBERS (sizeof(members) / sizeof(members[0]))

struct scan {
	const char *at, *end;
	struct gbm_manifest *m;
	uint32_t *crc;
	uint64_t shape[2];
	uint64_t last_shard; /* its first path */
	unsigned n_shape;
	uint64_t version, stream_version;
	uint32_t n_crc;
	bool seen[N_MEMBERS];
	const char *wrong;
};

_Static_assert(sizeof(enum gbm_save) == sizeof(int), "see take_word()");
_Static_assert(sizeof(enum gbm_dtype) == sizeof(int), "see take_word()");

static bool fail(struct scan *s, const char *why)
{
	if (!s->wrong)
		s->wrong = why;
	return false;
}

static void skip_space(struct scan *s)
{
	while (s->at < s->end && strchr(" \t\r\n", *s->at) && *s->at)
		s->at++;
}

/* The next character that is no space, or 0 at the end. */
static char peek(struct scan *s)
{
	skip_space(s);
	return s->at < s->end ? *s->at : '\0';
}

static bool expect(struct scan *s, char c)
{
	if (peek(s) != c)
		return fail(s, "it is no JSON");
	s->at++;
	return true;
}

/* A string's text, as far as it fits; what is escaped becomes '?'. */
static bool read_string(struct scan *s, char *text, size_t size)
{
	size_t n = 0;

	if (!expect(s, '"'))
		return false;
	for (; s->at < s->end && *s->at != '"'; s->at++) {
		char c = *s->at;

		if (c == '\\') {
			if (++s->at == s->end)
				break;
			c = '?';
		}
		if (n + 1 < size)
			text[n++] = c;
	}
	text[n] = '\0';
	return expect(s, '"');
}

static bool read_count(const char *text, uint64_t *value)
{
	uint64_t n = 0;

	if (*text == '\0')
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' ||
		    __builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*text - '0'), &n))
			return false;
	}
	*value = n;
	return true;
}

static bool read_checksum(const char *text, uint32_t *value)
{
	char *end;

	if (strlen(text) != 8 || strspn(text, "0123456789abcdef") != 8)
		return false;
	*value = (uint32_t)strtoul(text, &end, 16);
	return true;
}

static uint64_t *count_at(struct scan *s, size_t at)
{
	if (at == SIZE_MAX)
		return &s->version;
	if (at == SIZE_MAX - 1)
		return &s->stream_version;
	return (uint64_t *)(void *)((char *)s->m + at);
}

/* quoted: text stood in quotes. */
static bool store(struct scan *s, const struct member *member, const char *text,
		  bool quoted)
{
	char *to = (char *)s->m + (member->at < sizeof(*s->m) ? member->at : 0);
	double number;
	int word = 0;
	char *end;

	switch (member->kind) {
	case TEXT:
		return quoted && strcmp(text, FORMAT) == 0;
	case FLAG:
		word = strcmp(text, "true") == 0;
		memcpy(to, &word, sizeof(word));
		return !quoted && (word || strcmp(text, "false") == 0);
	case COUNT:
		return !quoted && read_count(text, count_at(s, member->at));
	case NUMBER:
		number = (double)NAN;
		if (quoted)
			return false;
		if (strcmp(text, "null") != 0) {
			number = strtod(text, &end);
			if (*end || end == text || !isfinite(number))
				return false;
		}
		memcpy(to, &number, sizeof(number));
		return true;
	case WORD:
		while (word < (int)member->n_words &&
		       strcmp(text, member->words[word]) != 0)
			word++;
		memcpy(to, &word, sizeof(word));
		return quoted && word < (int)member->n_words;
	case SHAPE:
		return !quoted && s->n_shape < 2 &&
		       read_count(text, &s->shape[s->n_shape++]);
	case SHARD: /* their rows follow from their number */
		return !quoted && s->m->shards < GBM_SAMPLES_SHARDS &&
		       read_count(text, &s->last_shard) && ++s->m->shards;
	case CHECKSUM:
		return quoted && s->n_crc < GBM_MANIFEST_BLOCKS &&
		       read_checksum(text, &s->crc[s->n_crc++]);
	}
	return false;
}

/* A string, number or word at this path; what is not known is passed over. */
static bool read_scalar(struct scan *s, const char *path)
{
	char text[64] = "";
	bool quoted = peek(s) == '"';
	size_t n = 0;

	if (quoted && !read_string(s, text, sizeof(text)))
		return false;
	while (!quoted && s->at < s->end && *s->at &&
	       strchr("+-.0123456789aeflnrstuE", *s->at)) {
		if (n + 1 == sizeof(text))
			return fail(s, "it is no JSON");
		text[n++] = *s->at++;
		text[n] = '\0';
	}
	if (!quoted && n == 0)
		return fail(s, "it is no JSON");
	for (size_t i = 0; i < N_MEMBERS; i++) {
		if (strcmp(members[i].path, path) != 0)
			continue;
		if (s->seen[i] && !strstr(path, "[]"))
			return fail(s, "a member is there twice");
		s->seen[i] = true;
		if (!store(s, &members[i], text, quoted))
			return fail(s, "a member has no meaning");
	}
	return true;
}

/* path: buffer of the names down to here, of which n bytes count. */
static bool read_value(struct scan *s, char path[64], size_t n, int depth)
{
	char open = peek(s), close = open == '{' ? '}' : ']', name[32] = "[]";

	if (open != '{' && open != '[')
		return read_scalar(s, path);
	if (depth == MAX_DEPTH)
		return fail(s, "it is nested too deeply");
	s->at++;
	if (peek(s) == close) {
		s->at++;
		return true;
	}
	for (;;) {
		int more;

		if (open == '{' &&
		    (!read_string(s, name, sizeof(name)) || !expect(s, ':')))
			return false;
		more = snprintf(path + n, 64 - n, "%s%s",
				open == '{' ? "." : "", name);
		if (more < 0 || (size_t)more >= 64 - n)
			return fail(s, "a member's name is too long");
		if (!read_value(s, path, n + (size_t)more, depth + 1))
			return false;
		path[n] = '\0';
		if (peek(s) == close) {
			s->at++;
			return true;
		}
		if (!expect(s, ','))
			return false;
	}
}

static bool make_sense(struct scan *s)
{
	struct gbm_manifest *m = s->m;
	uint64_t block_rows = m->block_rows, first, rows;

	if (peek(s) != '\0' || s->at != s->end)
		return fail(s, "something follows its end");
	for (size_t i = 0; i < N_MEMBERS; i++)
		if (!s->seen[i] && !members[i].optional)
			return fail(s, "a member is missing");
	if (s->version != VERSION)
		return fail(s, "it is of another version of gbm");
	if (s->stream_version > INT32_MAX)
		return fail(s, "its stream version has no meaning");
	m->stream_version = (int)s->stream_version;
	m->rows = s->shape[0];
	if (m->model.steps < 1 || m->model.steps > UINT64_C(1) << 40 ||
	    m->first_path > UINT64_C(1) << 62 ||
	    m->rows > (UINT64_C(1) << 62) - m->first_path ||
	    !gbm_manifest_layout(m) || s->n_shape != (m->columns ? 2 : 1) ||
	    (m->columns && s->shape[1] != m->columns) ||
	    block_rows != m->block_rows)
		return fail(s, "its shape does not fit");
	if (m->shards) {
		gbm_manifest_shard(m, m->shards - 1, &first, &rows);
		if (first != s->last_shard)
			return fail(s, "its shards do not fit");
	}
	if (m->complete ? s->n_crc != m->n_blocks : s->n_crc != 0)
		return fail(s,
			    "it has another number of checksums than blocks");
	return true;
}

const char *gbm_manifest_parse(struct gbm_manifest *m, const char *text,
			       size_t n, uint32_t crc[GBM_MANIFEST_BLOCKS])
{
	static const struct gbm_model model = GBM_MODEL_INIT;
	struct scan s = { .at = text, .end = text + n, .m = m, .crc = crc };
	locale_t c, before = point_locale(&c);
	char path[64] = "";

	*m = (struct gbm_manifest){ .model = model, .crc = crc };
	if (read_value(&s, path, 0, 0))
		make_sense(&s);
	restore_locale(before, c);
	return s.wrong;
}
