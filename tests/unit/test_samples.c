/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files of samples: their formats, their bytes, and what can go wrong. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <gbm-mc/samples.h>

#include "libgbm/crc32c.h"
#include "libgbm/manifest.h"
#include "libgbm/npy.h"
#include "libgbm/samples.h"
#include "tests/unit/check_main.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* ---- a disk that fails, in place of the C library's calls */

static struct {
	int write_error, sync_error; /* errno */
	int after;		     /* good writes before that */
	size_t most;		     /* bytes that a write takes; 0: all */
	int interrupted;	     /* every second write, by a signal */
} disk;

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at)
{
	static int turn;

	if (disk.interrupted &&
	    __atomic_fetch_add(&turn, 1, __ATOMIC_RELAXED) % 2) {
		errno = EINTR;
		return -1;
	}
	if (disk.write_error &&
	    __atomic_fetch_sub(&disk.after, 1, __ATOMIC_RELAXED) <= 0) {
		errno = disk.write_error;
		return -1;
	}
	if (disk.most && n > disk.most)
		n = disk.most;
	return (ssize_t)syscall(SYS_pwrite64, fd, bytes, n, at);
}

int sync_file_range(int fd, off_t at, off_t n, unsigned how)
{
	if (disk.sync_error) {
		errno = disk.sync_error;
		return -1;
	}
	return (int)syscall(SYS_sync_file_range, fd, at, n, how);
}

static char directory[64];

static void make_directory(void)
{
	strcpy(directory, "/tmp/gbm-samples.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_int_eq(chdir(directory), 0);
}

static void remove_directory(void)
{
	char command[96];

	ck_assert_int_eq(chdir("/"), 0);
	snprintf(command, sizeof(command), "rm -rf '%s'", directory);
	ck_assert_int_eq(system(command), 0);
}

/* The whole file; the caller frees it. */
static char *slurp(const char *name, size_t *n)
{
	FILE *f = fopen(name, "rb");
	struct stat st;
	char *bytes;

	ck_assert_msg(f != NULL, "no %s", name);
	ck_assert_int_eq(fstat(fileno(f), &st), 0);
	*n = (size_t)st.st_size;
	bytes = malloc(*n + 1);
	ck_assert_ptr_nonnull(bytes);
	ck_assert_uint_eq(fread(bytes, 1, *n, f), *n);
	bytes[*n] = '\0';
	fclose(f);
	return bytes;
}

static void ck_assert_same(const char *a, const char *b)
{
	size_t n, m;
	char *x = slurp(a, &n), *y = slurp(b, &m);

	ck_assert_uint_eq(n, m);
	ck_assert_msg(memcmp(x, y, n) == 0, "%s and %s differ", a, b);
	free(x);
	free(y);
}

/* Bit by bit, but for the padding at the end. */
static void ck_assert_equal(const struct gbm_result *a,
			    const struct gbm_result *b)
{
	ck_assert_mem_eq(a, b, offsetof(struct gbm_result, user_code));
}

/* ---- formats */

/* RFC 3720, B.4; and the usual check value. */
START_TEST(checksums)
{
	unsigned char b[48] = { 0 };
	uint32_t whole;

	ck_assert_uint_eq(gbm_crc32c(0, "123456789", 9), 0xe3069283);
	ck_assert_uint_eq(gbm_crc32c(0, b, 32), 0x8a9136aa);
	memset(b, 0xff, 32);
	ck_assert_uint_eq(gbm_crc32c(0, b, 32), 0x62a8ab43);
	for (unsigned i = 0; i < 32; i++)
		b[i] = (unsigned char)i;
	ck_assert_uint_eq(gbm_crc32c(0, b, 32), 0x46dd794e);
	for (unsigned i = 0; i < sizeof(b); i++)
		b[i] = (unsigned char)(i * 37 + 11);
	whole = gbm_crc32c(0, b, sizeof(b));
	for (size_t k = 0; k <= sizeof(b); k++) {
		uint32_t head = gbm_crc32c(0, b, k);
		uint32_t tail = gbm_crc32c(0, b + k, sizeof(b) - k);

		ck_assert_uint_eq(gbm_crc32c_plain(0, b, k), head);
		ck_assert_uint_eq(gbm_crc32c(head, b + k, sizeof(b) - k),
				  whole);
		ck_assert_uint_eq(gbm_crc32c_shift(head, sizeof(b) - k) ^ tail,
				  whole);
	}
}
END_TEST

START_TEST(header)
{
	char h[GBM_NPY_DATA];

	gbm_npy_header(h, 4, UINT64_C(1) << 62, UINT64_C(1) << 40);
	ck_assert_int_eq(memcmp(h, "\x93NUMPY\x01\x00\xf6\x0f", 10), 0);
	ck_assert_msg(strncmp(h + 10,
			      "{'descr': '<f4', 'fortran_order': False, "
			      "'shape': (4611686018427387904, 1099511627776), }"
			      "  ",
			      91) == 0,
		      "%.120s", h + 10);
	ck_assert_int_eq(h[GBM_NPY_DATA - 1], '\n');
	gbm_npy_header(h, 8, 7, 0);
	ck_assert_msg(strncmp(h + 10,
			      "{'descr': '<f8', 'fortran_order': False, "
			      "'shape': (7,), } ",
			      58) == 0,
		      "%.120s", h + 10);
}
END_TEST

static struct gbm_manifest example(uint32_t *crc)
{
	const struct gbm_model model = { sizeof(model), 1.0 / 3, -0.1, 1e-300,
					 (double)NAN,	2.5,	 1e10, 12 };
	struct gbm_manifest m = { .model = model,
				  .seed = UINT64_MAX,
				  .first_path = 5,
				  .rows = 1000003,
				  .save = GBM_SAVE_PATHS,
				  .dtype = GBM_F4,
				  .stream_version = 7,
				  .complete = 1,
				  .crc = crc };

	ck_assert_uint_eq(gbm_manifest_layout(&m),
			  UINT64_C(1000003) * 13 * 4 + GBM_NPY_DATA);
	ck_assert_uint_eq(m.n_blocks, (1000003 - 1) / m.block_rows + 1);
	for (uint32_t i = 0; i < m.n_blocks; i++)
		crc[i] = i * UINT32_C(2654435761);
	return m;
}

static char *print(const struct gbm_manifest *m, size_t *n)
{
	char *text = malloc(GBM_MANIFEST_SIZE);

	ck_assert_ptr_nonnull(text);
	*n = gbm_manifest_print(m, "a \"name\"\n.npy", text, GBM_MANIFEST_SIZE);
	ck_assert_uint_gt(*n, 0);
	return text;
}

static uint32_t crc_a[GBM_MANIFEST_BLOCKS], crc_b[GBM_MANIFEST_BLOCKS];

START_TEST(manifest_round_trip)
{
	struct gbm_manifest a = example(crc_a), b;
	size_t n;

	for (int complete = 0; complete < 2; complete++) {
		char *text;
		const char *wrong;

		a.complete = complete;
		a.ticket = complete ? 0 : UINT64_C(1) << 63;
		text = print(&a, &n);
		wrong = gbm_manifest_parse(&b, text, n, crc_b);
		ck_assert_msg(!wrong, "%s: %s", wrong, text);
		ck_assert_int_eq(b.complete, complete);
		ck_assert_uint_eq(b.ticket, a.ticket);
		ck_assert_uint_eq(b.seed, a.seed);
		ck_assert_uint_eq(b.first_path, 5);
		ck_assert_uint_eq(b.rows, a.rows);
		ck_assert_uint_eq(b.columns, 13);
		ck_assert_int_eq(b.stream_version, 7);
		ck_assert_int_eq(b.save, GBM_SAVE_PATHS);
		ck_assert_int_eq(b.dtype, GBM_F4);
		ck_assert_double_nan(b.model.drift);
		b.model.drift = a.model.drift;
		ck_assert_mem_eq(&b.model, &a.model, sizeof(a.model));
		if (complete)
			ck_assert_mem_eq(crc_a, crc_b,
					 a.n_blocks * sizeof(*crc_a));
		free(text);
	}
}
END_TEST

/* The longest name and the most checksums fit. */
START_TEST(manifest_fits)
{
	struct gbm_manifest m = { .rows = UINT64_C(1) << 50,
				  .complete = 1,
				  .crc = crc_a };
	char name[256], *text = malloc(GBM_MANIFEST_SIZE);
	size_t n;

	ck_assert_ptr_nonnull(text);
	memset(name, 1, sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	m.model.steps = 1;
	ck_assert_uint_gt(gbm_manifest_layout(&m), 0);
	ck_assert_uint_eq(m.n_blocks, GBM_MANIFEST_BLOCKS);
	n = gbm_manifest_print(&m, name, text, GBM_MANIFEST_SIZE);
	ck_assert_uint_gt(n, 12 * GBM_MANIFEST_BLOCKS);
	ck_assert_uint_lt(n, 215000);
	ck_assert_uint_eq(gbm_manifest_print(&m, name, text, n), 0);
	ck_assert_uint_eq(gbm_manifest_print(&m, name, text, n + 1), n);
	free(text);
}
END_TEST

/* Cut anywhere, or with any byte changed, it is refused or at least read. */
START_TEST(manifest_damaged)
{
	struct gbm_manifest a = example(crc_a), b;
	size_t n;
	char *text = print(&a, &n), *copy = malloc(n);

	ck_assert_ptr_nonnull(copy);
	for (size_t cut = 0; cut < n - 1; cut++) {
		/* No NUL, and nothing beyond, for the sanitizers. */
		char *part = malloc(cut ? cut : 1);

		memcpy(part, text, cut);
		ck_assert_msg(gbm_manifest_parse(&b, part, cut, crc_b) != NULL,
			      "%zu bytes of it are taken", cut);
		free(part);
	}
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < 5; k++) {
			memcpy(copy, text, n);
			copy[i] = "\0\"}9["[k];
			gbm_manifest_parse(&b, copy, n, crc_b);
		}
	free(copy);
	free(text);
}
END_TEST

static const struct {
	const char *from, *to, *why;
} edits[] = {
	{ "\"version\": 1", "\"version\": 2", "another version" },
	{ "gbm-mc samples", "somebody else's", "no meaning" },
	{ "\"seed\": 184", "\"seed\": 384", "no meaning" },
	{ "\"seed\": 184", "\"seed\": -184", "no meaning" },
	{ "\"seed\": ", "\"save\": \"paths\", \"seed\": ", "twice" },
	{ "\"dtype\": \"f4\"", "\"dtype\": \"f2\"", "no meaning" },
	{ "\"dtype\": \"f4\"", "\"dtype\": 4", "no meaning" },
	{ "[1000003, 13]", "[1000003, 12]", "shape" },
	{ "[1000003, 13]", "[1000003]", "shape" },
	{ "[1000003, 13]", "[0, 13]", "shape" },
	{ "[1000003, 13]", "[4611686018427387904, 13]", "shape" },
	{ "\"steps\": 12", "\"steps\": 0", "shape" },
	{ "\"block_rows\": ", "\"block_rows\": 1", "shape" },
	{ "\"spot\": 0.3", "\"spot\": 1e999", "no meaning" },
	{ "\"complete\": true", "\"complete\": false", "checksums" },
	{ "\"complete\": true", "\"complete\": 1", "no meaning" },
	{ "\"00000000\",", "\"0000000g\",", "no meaning" },
	{ "\"00000000\",", "", "checksums" },
	{ "\"00000000\",", "[[[[[[[[[[[[", "deep" },
	{ "\"format\": \"gbm-mc samples\",", "", "missing" },
	{ "\n}\n", "\n}\n}", "follows" },
};

START_TEST(manifest_refused)
{
	struct gbm_manifest a = example(crc_a), b;
	size_t n;
	char *text = print(&a, &n), *at, *copy = malloc(n + 64);
	const char *wrong;

	ck_assert_ptr_nonnull(copy);
	at = strstr(text, edits[_i].from);
	ck_assert_msg(at != NULL, "no %s in %s", edits[_i].from, text);
	snprintf(copy, n + 64, "%.*s%s%s", (int)(at - text), text, edits[_i].to,
		 at + strlen(edits[_i].from));
	wrong = gbm_manifest_parse(&b, copy, strlen(copy), crc_b);
	ck_assert_msg(wrong && strstr(wrong, edits[_i].why), "%s: %s",
		      edits[_i].to, wrong ? wrong : "taken");
	free(copy);
	free(text);
}
END_TEST

/* The manifest stays small, and no size overflows. */
START_TEST(layouts)
{
	static const struct {
		uint64_t rows, steps, bytes; /* 0: refused */
	} rows[] = {
		{ 1, 1, 16 },
		{ UINT64_C(1) << 40, 1, UINT64_C(1) << 44 },
		{ UINT64_C(1) << 58, 1, UINT64_C(1) << 62 },
		{ UINT64_C(1) << 59, 1, 0 },
		{ UINT64_C(1) << 62, 1, 0 },
		{ 1, UINT64_C(1) << 40, (UINT64_C(1) << 43) + 8 },
		{ UINT64_C(1) << 20, UINT64_C(1) << 40, 0 },
		{ UINT64_C(1) << 21, UINT64_C(1) << 40, 0 },
		{ 0, 1, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct gbm_manifest m = { .rows = rows[i].rows,
					  .save = GBM_SAVE_PATHS };
		uint64_t bytes;

		m.model.steps = rows[i].steps;
		bytes = gbm_manifest_layout(&m);
		ck_assert_msg(bytes == (rows[i].bytes
						? rows[i].bytes + GBM_NPY_DATA
						: 0),
			      "row %zu: %llu", i, (unsigned long long)bytes);
		if (!bytes)
			continue;
		ck_assert_uint_ge(m.n_blocks, 1);
		ck_assert_uint_le(m.n_blocks, GBM_MANIFEST_BLOCKS);
		ck_assert_uint_lt((m.n_blocks - 1) * m.block_rows, m.rows);
	}
}
END_TEST

/* ---- files */

struct settings {
	enum gbm_save save;
	enum gbm_dtype dtype;
	enum gbm_payoff payoff;
	uint64_t steps, paths, first;
	unsigned threads;
	uint64_t chunk;
};

static struct gbm_plan *plan_of(const struct settings *s)
{
	struct gbm_model model = GBM_MODEL_INIT;
	struct gbm_functional f = GBM_FUNCTIONAL_INIT;
	struct gbm_options o = GBM_OPTIONS_INIT;
	struct gbm_error err = { 0 };
	struct gbm_plan *plan;

	model.steps = s->steps;
	f.payoff = s->payoff;
	o.threads = s->threads;
	o.chunk_bytes = s->chunk;
	ck_assert_msg(gbm_plan_create(&plan, &model, &f, s->paths, &o, &err) ==
			      GBM_OK,
		      "%s", err.text);
	return plan;
}

static struct gbm_samples_options options_of(const struct settings *s)
{
	struct gbm_samples_options o = GBM_SAMPLES_OPTIONS_INIT;

	o.save = s->save;
	o.dtype = s->dtype;
	o.first_path = s->first;
	return o;
}

static struct gbm_result save_all(const struct settings *s, const char *name)
{
	struct gbm_samples_options o = options_of(s);
	struct gbm_result result = GBM_RESULT_INIT;
	struct gbm_plan *plan = plan_of(s);
	struct gbm_error err = { 0 };

	ck_assert_msg(gbm_run_samples(plan, name, &o, &result, &err) == GBM_OK,
		      "%s", err.text);
	gbm_plan_destroy(&plan);
	return result;
}

/* What a file should hold, by way of a stream, which has code of its own. */
static void check_values(const struct settings *s, const char *name)
{
	struct gbm_plan *plan = plan_of(s);
	struct gbm_stream *stream;
	struct gbm_block b;
	size_t n, times = s->save == GBM_SAVE_PATHS ? s->steps + 1 : 1;
	char *bytes = slurp(name, &n);
	size_t each = s->dtype == GBM_F4 ? 4 : 8;

	ck_assert_uint_eq(n,
			  GBM_NPY_DATA + (s->paths - s->first) * times * each);
	ck_assert_int_eq(
		gbm_stream_open(&stream, plan, s->first, s->paths - s->first),
		GBM_OK);
	while (gbm_stream_next(stream, &b) > 0)
		for (size_t i = 0; i < b.n_paths * times; i++) {
			uint64_t path = b.first_path + i / times;
			size_t t = times == 1 ? s->steps : i % times;
			double want = b.values[t * b.stride + i / times], got;
			char *at =
				bytes + GBM_NPY_DATA +
				((path - s->first) * times + i % times) * each;
			float single;

			memcpy(&single, at, sizeof(single));
			memcpy(&got, at, each);
			if (each == 4) {
				got = (double)single;
				want = (double)(float)want;
			}
			if (memcmp(&got, &want, sizeof(got)) != 0)
				ck_abort_msg("path %llu: %.17g, not %.17g",
					     (unsigned long long)path, got,
					     want);
		}
	gbm_stream_close(&stream);
	gbm_plan_destroy(&plan);
	free(bytes);
}

static const struct settings settings[] = {
	{ GBM_SAVE_TERMINAL, GBM_F8, GBM_CALL, 1, 300007, 0, 1, 0 },
	{ GBM_SAVE_TERMINAL, GBM_F4, GBM_TERMINAL, 3, 300007, 0, 2, 65536 },
	{ GBM_SAVE_TERMINAL, GBM_F8, GBM_ASIAN_PUT, 4, 70001, 0, 2, 0 },
	{ GBM_SAVE_PATHS, GBM_F8, GBM_PUT, 1, 50001, 0, 2, 0 },
	{ GBM_SAVE_PATHS, GBM_F4, GBM_ASIAN_CALL, 6, 20480, 0, 2, 16384 },
	{ GBM_SAVE_PATHS, GBM_F8, GBM_CALL, 1000, 1100, 0, 2, 0 },
	{ GBM_SAVE_PATHS, GBM_F8, GBM_CALL, 99, 1, 0, 1, 0 },
	{ GBM_SAVE_TERMINAL, GBM_F8, GBM_CALL, 1, 1, 0, 1, 0 },
};

/* The file holds the paths, and the estimate is that of gbm_run(). */
START_TEST(values)
{
	const struct settings *s = &settings[_i];
	struct gbm_result got = save_all(s, "a.npy"), want = GBM_RESULT_INIT;
	struct gbm_plan *plan = plan_of(s);

	check_values(s, "a.npy");
	ck_assert_int_eq(gbm_run(plan, &want), GBM_OK);
	ck_assert_equal(&got, &want);
	gbm_plan_destroy(&plan);
}
END_TEST

/*
 * As ranks do it: parts by different handles, some smaller than a cell, in any
 * order.  Same bytes, same manifest.
 */
START_TEST(in_parts)
{
	const struct settings *s = &settings[_i];
	struct gbm_samples_options o = options_of(s);
	uint64_t cuts[] = { 0, 1024, 2048, 9 * 1024, 17408, 40960, s->paths };
	struct gbm_samples *part[ARRAY_SIZE(cuts) - 1];
	struct gbm_plan *plan = plan_of(s);
	struct gbm_error err = { 0 };
	size_t parts = ARRAY_SIZE(part), size;
	void *packed;

	save_all(s, "a.npy");
	for (size_t i = 0; i < parts; i++) {
		int status =
			i ? gbm_samples_join(&part[i], "b.npy", plan, &o,
					     gbm_samples_ticket(part[0]), &err)
			  : gbm_samples_create(&part[0], "b.npy", plan, &o,
					       &err);

		ck_assert_msg(status == GBM_OK, "%s", err.text);
	}
	size = gbm_samples_packed_size(part[0]);
	ck_assert_uint_lt(size, 200000);
	packed = malloc(size);
	ck_assert_ptr_nonnull(packed);
	for (size_t k = parts; k-- > 0;) {
		size_t i = (k * 5 + 3) % parts;
		uint64_t first = cuts[i] < s->paths ? cuts[i] : s->paths;
		uint64_t end = cuts[i + 1] < s->paths ? cuts[i + 1] : s->paths;

		ck_assert_msg(gbm_samples_run(part[i], first, end - first, NULL,
					      NULL, &err) == GBM_OK,
			      "%s", err.text);
		ck_assert_int_eq(gbm_samples_sync(part[i], &err), GBM_OK);
		if (i == 0)
			continue;
		if (end > first)
			ck_assert_int_eq(gbm_samples_finish(part[i], &err),
					 GBM_EIO);
		gbm_samples_pack(part[i], packed);
		ck_assert_int_eq(gbm_samples_merge(part[0], packed, size),
				 GBM_OK);
	}
	/* The same once more is too much. */
	gbm_samples_pack(part[0], packed);
	ck_assert_int_eq(gbm_samples_merge(part[0], packed, size), GBM_EFORMAT);
	ck_assert_int_eq(gbm_samples_merge(part[0], packed, size - 1),
			 GBM_EFORMAT);
	ck_assert_msg(gbm_samples_finish(part[0], &err) == GBM_OK, "%s",
		      err.text);
	for (size_t i = 0; i < parts; i++)
		gbm_samples_close(&part[i]);
	free(packed);
	gbm_plan_destroy(&plan);
	ck_assert_same("a.npy", "b.npy");
	ck_assert_int_eq(rename("b.npy.json", "c"), 0);
	ck_assert_int_eq(system("sed s/b.npy/a.npy/ c | cmp - a.npy.json"), 0);
}
END_TEST

/* What a checkpoint needs: the packed checksums, and the file's own ticket. */
START_TEST(goes_on)
{
	const struct settings *s = &settings[_i];
	struct gbm_samples_options o = options_of(s);
	struct gbm_samples *samples;
	struct gbm_plan *plan = plan_of(s);
	struct gbm_error err = { 0 };
	uint64_t done = s->paths / 2 / GBM_BLOCK_PATHS * GBM_BLOCK_PATHS;
	uint64_t ticket;
	void *packed;
	size_t size;

	save_all(s, "a.npy");
	ck_assert_int_eq(gbm_samples_create(&samples, "b.npy", plan, &o, &err),
			 GBM_OK);
	/* As on a file server, for once. */
	samples->server = 1;
	samples->window = 4096;
	ck_assert_int_eq(gbm_samples_run(samples, 0, done, NULL, NULL, &err),
			 GBM_OK);
	ticket = gbm_samples_ticket(samples);
	size = gbm_samples_packed_size(samples);
	packed = malloc(size);
	ck_assert_ptr_nonnull(packed);
	gbm_samples_pack(samples, packed);
	/* What comes after is lost, and made again. */
	ck_assert_int_eq(gbm_samples_run(samples, done, s->paths - done, NULL,
					 NULL, &err),
			 GBM_OK);
	gbm_samples_close(&samples);
	ck_assert_int_eq(
		gbm_samples_join(&samples, "b.npy", plan, &o, ticket, &err),
		GBM_OK);
	ck_assert_int_eq(gbm_samples_merge(samples, packed, size), GBM_OK);
	ck_assert_int_eq(gbm_samples_run(samples, done, s->paths - done, NULL,
					 NULL, &err),
			 GBM_OK);
	ck_assert_msg(gbm_samples_finish(samples, &err) == GBM_OK, "%s",
		      err.text);
	ck_assert_same("a.npy", "b.npy");
	gbm_samples_remove(samples);
	ck_assert_int_ne(access("b.npy", F_OK), 0);
	ck_assert_int_ne(access("b.npy.json", F_OK), 0);
	gbm_samples_close(&samples);
	gbm_plan_destroy(&plan);
	free(packed);
}
END_TEST

static int verify(const struct settings *s, const char *name, uint64_t *bad,
		  struct gbm_error *err)
{
	struct gbm_samples *samples;
	struct gbm_plan *plan = plan_of(s);
	int status = gbm_samples_open(&samples, name, plan, err);

	if (status == GBM_OK)
		status = gbm_samples_verify(samples, 0, s->paths, bad, err);
	if (status == GBM_OK)
		status = gbm_samples_finish(samples, err);
	gbm_samples_close(&samples);
	gbm_plan_destroy(&plan);
	return status;
}

static void flip(const char *name, long at)
{
	FILE *f = fopen(name, "r+b");
	int c;

	ck_assert_ptr_nonnull(f);
	fseek(f, at, SEEK_SET);
	c = getc(f);
	fseek(f, at, SEEK_SET);
	putc(c ^ 1, f);
	fclose(f);
}

/* Shards one after the other are the one file, and are compared as one. */
START_TEST(in_shards)
{
	static const char *const names[] = { "b.0.npy", "b.1.npy", "b.2.npy" };
	const struct settings *s = &settings[_i];
	struct gbm_samples_options o = options_of(s);
	struct gbm_samples_info info = GBM_SAMPLES_INFO_INIT;
	struct gbm_samples *shard[3];
	struct gbm_plan *plan = plan_of(s);
	struct gbm_error err = { 0 };
	size_t n, m, at = GBM_NPY_DATA, size;
	uint64_t first, rows, next = 0;
	char *whole, *part;
	void *packed;

	save_all(s, "a.npy");
	whole = slurp("a.npy", &n);
	o.shards = 3;
	for (unsigned i = 0; i < 3; i++) {
		o.shard = i;
		ck_assert_msg((i ? gbm_samples_join(&shard[i], "b.npy", plan,
						    &o, 0, &err)
				 : gbm_samples_create(&shard[i], "b.npy", plan,
						      &o, &err)) == GBM_OK,
			      "%s", err.text);
	}
	size = gbm_samples_packed_size(shard[0]);
	packed = malloc(size);
	ck_assert_ptr_nonnull(packed);
	for (unsigned i = 0; i < 3; i++) {
		gbm_samples_shard(shard[i], &first, &rows);
		ck_assert_uint_eq(first, next);
		next += rows;
		ck_assert_int_eq(gbm_samples_run(shard[i], first, rows + 1,
						 NULL, NULL, &err),
				 GBM_EINVAL);
		ck_assert_msg(gbm_samples_run(shard[i], first, rows, NULL, NULL,
					      &err) == GBM_OK,
			      "%s", err.text);
		gbm_samples_pack(shard[i], packed);
		if (i)
			ck_assert_int_eq(
				gbm_samples_merge(shard[0], packed, size),
				GBM_OK);
	}
	ck_assert_uint_eq(next, s->paths);
	ck_assert_msg(gbm_samples_finish(shard[0], &err) == GBM_OK, "%s",
		      err.text);
	for (unsigned i = 0; i < 3; i++) {
		gbm_samples_close(&shard[i]);
		part = slurp(names[i], &m);
		m -= GBM_NPY_DATA;
		ck_assert_uint_le(m, n - at);
		ck_assert_mem_eq(part + GBM_NPY_DATA, whole + at, m);
		at += m;
		free(part);
	}
	ck_assert_uint_eq(at, n);
	ck_assert_int_eq(gbm_samples_info("b.npy", &info, &err), GBM_OK);
	ck_assert_uint_eq(info.shards, 3);
	ck_assert_int_eq(info.complete, 1);
	ck_assert_msg(verify(s, "b.npy", &next, &err) == GBM_OK, "%s",
		      err.text);
	if (s->paths > 2048) {
		struct stat st;

		ck_assert_int_eq(stat("b.2.npy", &st), 0);
		flip("b.2.npy", (long)st.st_size - 1);
		ck_assert_int_eq(verify(s, "b.npy", &next, &err), GBM_EDAMAGED);
		ck_assert_uint_eq(next, s->paths - 1);
		ck_assert_msg(strstr(err.text, "b.2.npy"), "%s", err.text);
		unlink("b.1.npy");
		ck_assert_int_eq(verify(s, "b.npy", &next, &err), GBM_EIO);
		ck_assert_msg(strstr(err.text, "b.1.npy"), "%s", err.text);
	}
	gbm_plan_destroy(&plan);
	free(packed);
	free(whole);
}
END_TEST

START_TEST(replayed)
{
	struct settings s = settings[_i];
	struct gbm_samples_options o;
	struct gbm_samples *samples;
	struct gbm_error err = { 0 };
	struct gbm_plan *plan;

	s.first = 777;
	s.paths = 5001;
	o = options_of(&s);
	plan = plan_of(&s);
	ck_assert_int_eq(gbm_samples_create(&samples, "r.npy", plan, &o, &err),
			 GBM_OK);
	ck_assert_int_eq(gbm_samples_run(samples, 776, 1, NULL, NULL, &err),
			 GBM_EINVAL);
	ck_assert_int_eq(gbm_samples_run(samples, 777, 1000, NULL, NULL, &err),
			 GBM_OK);
	ck_assert_int_eq(gbm_samples_run(samples, 1777, 3224, NULL, NULL, &err),
			 GBM_OK);
	ck_assert_msg(gbm_samples_finish(samples, &err) == GBM_OK, "%s",
		      err.text);
	gbm_samples_close(&samples);
	gbm_plan_destroy(&plan);
	check_values(&s, "r.npy");
}
END_TEST

START_TEST(damage_is_found)
{
	const struct settings *s = &settings[1];
	struct gbm_error err = { 0 };
	uint64_t bad = 0;

	save_all(s, "a.npy");
	ck_assert_msg(verify(s, "a.npy", &bad, &err) == GBM_OK, "%s", err.text);
	flip("a.npy", GBM_NPY_DATA + 4 * 290001);
	flip("a.npy", GBM_NPY_DATA + 4 * 200000 + 3);
	ck_assert_int_eq(verify(s, "a.npy", &bad, &err), GBM_EDAMAGED);
	ck_assert_uint_eq(bad, 200000);
	ck_assert_msg(strstr(err.text, "paths 0 to 300006") &&
			      strstr(err.text, "path 200000 is"),
		      "%s", err.text);
	flip("a.npy", 30);
	ck_assert_int_eq(verify(s, "a.npy", &bad, &err), GBM_EDAMAGED);
	ck_assert_msg(strstr(err.text, "header"), "%s", err.text);
	ck_assert_int_eq(truncate("a.npy", 5000), 0);
	ck_assert_int_eq(verify(s, "a.npy", &bad, &err), GBM_EDAMAGED);
	ck_assert_msg(strstr(err.text, "has 5000 bytes"), "%s", err.text);
	unlink("a.npy");
	ck_assert_int_eq(verify(s, "a.npy", &bad, &err), GBM_EIO);
	unlink("a.npy.json");
	ck_assert_int_eq(verify(s, "a.npy", &bad, &err), GBM_EIO);
	ck_assert_msg(strstr(err.text, "a.npy.json"), "%s", err.text);
}
END_TEST

START_TEST(bad_checksum_is_found)
{
	const struct settings *s = &settings[0];
	struct gbm_error err = { 0 };

	save_all(s, "a.npy");
	ck_assert_int_eq(system("sed -i '/crc32c/{n;s/[0-9a-f]\\{8\\}/00000000/"
				"}' a.npy.json"),
			 0);
	ck_assert_int_eq(verify(s, "a.npy", NULL, &err), GBM_EDAMAGED);
	ck_assert_msg(strstr(err.text, "checksum"), "%s", err.text);
}
END_TEST

/* Nothing is lost, and each refusal names the file. */
START_TEST(refusals)
{
	const struct settings *s = &settings[0];
	struct gbm_samples_options o = options_of(s);
	struct gbm_samples_info info = GBM_SAMPLES_INFO_INIT;
	struct rlimit limit = { 8192, RLIM_INFINITY };
	struct gbm_plan *plan = plan_of(s);
	struct gbm_error err = { 0 };
	struct gbm_samples *samples;
	char name[5000];

#define REFUSED(file, status, word)                                            \
	do {                                                                   \
		ck_assert_int_eq(                                              \
			gbm_samples_create(&samples, file, plan, &o, &err),    \
			status);                                               \
		ck_assert_ptr_null(samples);                                   \
		ck_assert_msg(strstr(err.text, word), "%s", err.text);         \
	} while (0)

	ck_assert_int_eq(system("echo precious >a.npy"), 0);
	REFUSED("a.npy", GBM_ECREATE, "a.npy is there");
	ck_assert_int_eq(system("test $(cat a.npy) = precious"), 0);
	unlink("a.npy");
	ck_assert_int_eq(system("echo precious >a.npy.json"), 0);
	REFUSED("a.npy", GBM_ECREATE, "a.npy.json is there");
	o.force = 1;
	REFUSED("none/a.npy", GBM_ECREATE, "make its directory first");
	ck_assert_int_eq(mkdir("d", 0755), 0);
	REFUSED("d", GBM_ECREATE, "d is there and is no regular file");
	ck_assert_int_eq(symlink("/dev/full", "full"), 0);
	REFUSED("full", GBM_ECREATE, "no regular file");
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	REFUSED(name, GBM_ECREATE, "xxx");
	REFUSED("", GBM_EINVAL, "file");
	o.first_path = s->paths;
	REFUSED("a.npy", GBM_EINVAL, "first_path");
	o.first_path = 0;
	o.dtype = (enum gbm_dtype)2;
	REFUSED("a.npy", GBM_EINVAL, "GBM_SAMPLES_OPTIONS_INIT");
	o.dtype = GBM_F8;
	signal(SIGXFSZ, SIG_DFL); /* would end the test */
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	REFUSED("b.npy", GBM_ECREATE, "RLIMIT_FSIZE allows 8.0 KiB");
	ck_assert_int_ne(access("b.npy", F_OK), 0);
	limit.rlim_cur = RLIM_INFINITY;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	gbm_plan_destroy(&plan);

	/* Replaced by force; not complete until it is finished. */
	plan = plan_of(s);
	ck_assert_int_eq(gbm_samples_create(&samples, "a.npy", plan, &o, &err),
			 GBM_OK);
	ck_assert_int_eq(gbm_samples_info("a.npy", &info, &err), GBM_OK);
	ck_assert_int_eq(info.complete, 0);
	ck_assert_int_eq(gbm_samples_run(samples, 0, 1024, NULL, NULL, &err),
			 GBM_OK);
	ck_assert_int_eq(gbm_samples_finish(samples, &err), GBM_EIO);
	ck_assert_msg(strstr(err.text, "not complete"), "%s", err.text);
	gbm_samples_close(&samples);
	ck_assert_int_eq(gbm_samples_info("a.npy", &info, &err), GBM_OK);
	ck_assert_int_eq(info.complete, 0);
	/* Made by somebody else meanwhile. */
	ck_assert_int_eq(gbm_samples_join(&samples, "a.npy", plan, &o, 1, &err),
			 GBM_ECREATE);
	ck_assert_msg(strstr(err.text, "all nodes share"), "%s", err.text);
	gbm_plan_destroy(&plan);
}
END_TEST

START_TEST(too_large)
{
	struct settings s = settings[0];
	struct gbm_samples_options o = options_of(&s);
	struct gbm_error err = { 0 };
	struct gbm_samples *samples;
	struct gbm_plan *plan;

	s.paths = UINT64_C(1) << 62;
	plan = plan_of(&s);
	REFUSED("a.npy", GBM_EINVAL, "more bytes than a file");
	gbm_plan_destroy(&plan);
	s.paths = UINT64_C(1) << 55;
	plan = plan_of(&s);
	REFUSED("a.npy", GBM_ECREATE, "a.npy needs 256 PiB");
	ck_assert_int_ne(access("a.npy", F_OK), 0);
	gbm_plan_destroy(&plan);
}
END_TEST

START_TEST(short_writes)
{
	const struct settings *s = &settings[_i];
	struct gbm_samples_options o = options_of(s);
	struct gbm_result result = GBM_RESULT_INIT;
	struct gbm_plan *plan = plan_of(s);
	struct gbm_error err = { 0 };

	disk.most = 5000; /* more than a header */
	disk.interrupted = 1;
	ck_assert_msg(gbm_run_samples(plan, "a.npy", &o, &result, &err) ==
			      GBM_OK,
		      "%s", err.text);
	check_values(s, "a.npy");
	gbm_plan_destroy(&plan);
}
END_TEST

static const struct {
	int write_error, sync_error;
	const char *words[3];
} failures[] = {
	{ ENOSPC, 0, { "No space left", "free): make room", "not complete" } },
	{ EDQUOT, 0, { "quota exceeded", "make room", "not complete" } },
	{ EIO, 0, { "Input/output error", "look after", "not complete" } },
	{ ESTALE, 0, { "Stale file handle", "look after", "not complete" } },
	{ EROFS, 0, { "Read-only file system", "look after", "not complete" } },
	{ 0, EIO, { "Input/output error", "look after", "not complete" } },
	{ 0, ENOSPC, { "No space left", "make room", "not complete" } },
};

/* In the middle of a run: one sentence, no estimate, not complete. */
START_TEST(disk_fails)
{
	const struct settings *s = &settings[0];
	struct gbm_samples_options o = options_of(s);
	struct gbm_samples_info info = GBM_SAMPLES_INFO_INIT;
	struct gbm_stats *stats;
	struct gbm_result result = GBM_RESULT_INIT;
	struct gbm_plan *plan = plan_of(s);
	struct gbm_error err = { 0 };
	struct gbm_samples *samples;

	ck_assert_int_eq(gbm_stats_create(&stats), GBM_OK);
	ck_assert_int_eq(gbm_samples_create(&samples, "a.npy", plan, &o, &err),
			 GBM_OK);
	samples->window = 100000;
	disk.after = 2;
	disk.write_error = failures[_i].write_error;
	disk.sync_error = failures[_i].sync_error;
	ck_assert_int_eq(
		gbm_samples_run(samples, 0, s->paths, stats, NULL, &err),
		GBM_EIO);
	for (size_t i = 0; i < 3; i++)
		ck_assert_msg(strstr(err.text, failures[_i].words[i]), "%s",
			      err.text);
	ck_assert_msg(strncmp(err.text, "a.npy: ", 7) == 0, "%s", err.text);
	ck_assert_int_eq(gbm_stats_result(stats, &result), GBM_OK);
	ck_assert_uint_eq(result.n, 0);
	ck_assert_int_eq(gbm_samples_info("a.npy", &info, &err), GBM_OK);
	ck_assert_int_eq(info.complete, 0);
	gbm_samples_close(&samples);
	gbm_stats_destroy(&stats);

	/* Before it. */
	o.force = 1;
	disk.after = 0;
	if (disk.write_error) {
		ck_assert_int_eq(
			gbm_samples_create(&samples, "b.npy", plan, &o, &err),
			GBM_ECREATE);
		ck_assert_int_ne(access("b.npy", F_OK), 0);
	}
	gbm_plan_destroy(&plan);
}
END_TEST

/* A kernel without sync_file_range(): by fdatasync(). */
START_TEST(no_sync_file_range)
{
	disk.sync_error = ENOSYS;
	save_all(&settings[0], "a.npy");
	check_values(&settings[0], "a.npy");
}
END_TEST

/* A functional of the caller's sees the same paths. */
static int last_price(const struct gbm_block *b, void *user, double *out)
{
	const uint64_t *stop_at = user;

	for (size_t i = 0; i < b->n_paths; i++) {
		if (b->first_path + i == *stop_at)
			return 42;
		out[i] = b->values[(b->n_times - 1) * b->stride + i];
	}
	return 0;
}

START_TEST(callers_functional)
{
	struct gbm_functional f = GBM_FUNCTIONAL_INIT;
	struct gbm_samples_options o = GBM_SAMPLES_OPTIONS_INIT;
	struct gbm_options threads = GBM_OPTIONS_INIT;
	struct gbm_model model = GBM_MODEL_INIT;
	struct gbm_result got = GBM_RESULT_INIT, want = GBM_RESULT_INIT;
	struct gbm_error err = { 0 };
	struct gbm_plan *plan;
	uint64_t stop_at = UINT64_MAX;

	model.steps = 3;
	threads.threads = 2;
	f.fn = last_price;
	f.user = &stop_at;
	ck_assert_int_eq(
		gbm_plan_create(&plan, &model, &f, 33333, &threads, &err),
		GBM_OK);
	ck_assert_int_eq(gbm_run(plan, &want), GBM_OK);
	for (int save = 0; save < 2; save++) {
		o.save = (enum gbm_save)save;
		ck_assert_msg(gbm_run_samples(plan, save ? "p.npy" : "t.npy",
					      &o, &got, &err) == GBM_OK,
			      "%s", err.text);
		ck_assert_equal(&got, &want);
	}
	stop_at = 30000;
	ck_assert_int_eq(gbm_run_samples(plan, "c.npy", &o, &got, &err),
			 GBM_ECANCELED);
	ck_assert_int_eq(got.user_code, 42);
	gbm_plan_destroy(&plan);
}
END_TEST

/* Threads that have been here, and that are to come. */
struct meeting {
	unsigned there, all;
};

static int meets(const struct gbm_block *b, void *user, double *out)
{
	static _Thread_local const void *met;
	const struct timespec little = { 0, 1000000 };
	struct meeting *m = user;

	if (met != m)
		__atomic_fetch_add(&m->there, 1, __ATOMIC_RELAXED);
	met = m;
	for (int i = 0; i < 20000; i++) {
		if (__atomic_load_n(&m->there, __ATOMIC_RELAXED) >= m->all)
			break;
		nanosleep(&little, NULL);
	}
	for (size_t i = 0; i < b->n_paths; i++)
		out[i] = 0;
	return 0;
}

/* All threads work on a range that the buffers of one would hold. */
START_TEST(short_range)
{
	const uint64_t paths[] = { 3, 6, 7, 65 };
	struct meeting meetings[ARRAY_SIZE(paths)] = { 0 };
	struct gbm_functional f = GBM_FUNCTIONAL_INIT;
	struct gbm_samples_options o = GBM_SAMPLES_OPTIONS_INIT;
	struct gbm_options threads = GBM_OPTIONS_INIT;
	struct gbm_model model = GBM_MODEL_INIT;
	struct gbm_plan_info info = GBM_PLAN_INFO_INIT;
	struct gbm_samples *s;
	struct gbm_stats *stats;
	struct gbm_plan *plan;
	struct gbm_error err;

	o.force = 1;
	threads.threads = 3;
	f.fn = meets;
	ck_assert_int_eq(gbm_stats_create(&stats), GBM_OK);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		uint64_t n = paths[i] * GBM_BLOCK_PATHS;

		f.user = &meetings[i];
		ck_assert_int_eq(
			gbm_plan_create(&plan, &model, &f, n, &threads, NULL),
			GBM_OK);
		ck_assert_int_eq(gbm_plan_info(plan, &info), GBM_OK);
		meetings[i].all = info.threads;
		ck_assert_msg(gbm_samples_create(&s, "a.npy", plan, &o, &err) ==
				      GBM_OK,
			      "%s", err.text);
		ck_assert_uint_gt(s->capacity, paths[0] * GBM_BLOCK_PATHS);
		ck_assert_int_eq(gbm_samples_run(s, 0, n, stats, NULL, &err),
				 GBM_OK);
		ck_assert_uint_eq(meetings[i].there, meetings[i].all);
		ck_assert_int_eq(gbm_samples_finish(s, &err), GBM_OK);
		gbm_samples_close(&s);
		gbm_plan_destroy(&plan);
	}
	gbm_stats_destroy(&stats);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("samples");
	TCase *formats = tcase_create("formats"),
	      *files = tcase_create("files");

	tcase_add_test(formats, checksums);
	tcase_add_test(formats, header);
	tcase_add_test(formats, manifest_round_trip);
	tcase_add_test(formats, manifest_fits);
	tcase_add_test(formats, manifest_damaged);
	tcase_add_loop_test(formats, manifest_refused, 0, ARRAY_SIZE(edits));
	tcase_add_test(formats, layouts);
	suite_add_tcase(s, formats);
	tcase_add_checked_fixture(files, make_directory, remove_directory);
	tcase_set_timeout(files, 60);
	tcase_add_loop_test(files, values, 0, ARRAY_SIZE(settings));
	tcase_add_loop_test(files, in_parts, 0, ARRAY_SIZE(settings));
	tcase_add_loop_test(files, goes_on, 0, ARRAY_SIZE(settings));
	tcase_add_loop_test(files, in_shards, 0, ARRAY_SIZE(settings));
	tcase_add_loop_test(files, replayed, 0, ARRAY_SIZE(settings));
	tcase_add_test(files, damage_is_found);
	tcase_add_test(files, bad_checksum_is_found);
	tcase_add_test(files, refusals);
	tcase_add_test(files, too_large);
	tcase_add_loop_test(files, short_writes, 0, ARRAY_SIZE(settings));
	tcase_add_loop_test(files, disk_fails, 0, ARRAY_SIZE(failures));
	tcase_add_test(files, no_sync_file_range);
	tcase_add_test(files, callers_functional);
	tcase_add_test(files, short_range);
	suite_add_tcase(s, files);
	return s;
}

int main(void)
{
	return gbm_check_main(suite()) ? EXIT_FAILURE : EXIT_SUCCESS;
}
