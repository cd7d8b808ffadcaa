/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "plugin/procfs.h"

#include "check_main.h"

#define JOB "/slurm_pi1/uid_1000/job_17"

/* A hybrid hierarchy, as systemd 247 and older set it up. */
static const char hybrid[] = "12:freezer:" JOB "/step_0\n"
			     "9:name=systemd:/system.slice/slurmd.service\n"
			     "5:devices:" JOB "/step_0\n"
			     "4:memory:" JOB "/step_0/task_0\n"
			     "3:cpu,cpuacct:/\n"
			     "0::/system.slice/slurmd.service\n";
static const char v2[] = "0::/system.slice/pi1_slurmstepd.scope/job_17/"
			 "step_0/user/task_0\n";

static int find(const char *text, const char *controller, char *out)
{
	struct span s = { NULL, 0 };
	int rc = procfs_cgroup(text, strlen(text), controller, &s);

	if (rc == 1) {
		memcpy(out, s.at, s.len);
		out[s.len] = '\0';
	}
	return rc;
}

START_TEST(cgroup_lines)
{
	char path[256];

	ck_assert_int_eq(find(hybrid, "memory", path), 1);
	ck_assert_str_eq(path, JOB "/step_0/task_0");
	ck_assert_int_eq(find(hybrid, "cpuacct", path), 1);
	ck_assert_str_eq(path, "/");
	ck_assert_int_eq(find(hybrid, NULL, path), 1);
	ck_assert_str_eq(path, "/system.slice/slurmd.service");
	ck_assert_int_eq(find(hybrid, "mem", path), 0);
	ck_assert_int_eq(find(hybrid, "systemd", path), 0);
	ck_assert_int_eq(find(v2, "memory", path), 0);
	ck_assert_int_eq(find(v2, NULL, path), 1);
	ck_assert_int_eq(find("", "memory", path), 0);
	ck_assert_int_eq(find("4:memory:/a", "memory", path), 1);
	ck_assert_str_eq(path, "/a");
	ck_assert_int_eq(find("4:memory,hugetlb:/a:b\n", "memory", path), 1);
	ck_assert_str_eq(path, "/a:b");
}
END_TEST

static bool is_in(const char *line, const char *dir)
{
	return procfs_is_in(line, strlen(line), dir);
}

START_TEST(where_a_process_is)
{
#define DIR "sys/fs/cgroup/memory" JOB
	ck_assert(is_in("4:memory:" JOB "/step_0", DIR "/step_0"));
	ck_assert(is_in("4:memory:" JOB "/step_0/task_0", DIR "/step_0"));
	ck_assert(is_in("4:memory:" JOB "/step_0/task_0", DIR));
	ck_assert(is_in("0::/job_17/step_0", DIR "/step_0"));
	ck_assert(is_in("0::/../../job_17/step_0/a", DIR "/step_0"));
	ck_assert(!is_in("4:memory:" JOB "/step_01", DIR "/step_0"));
	ck_assert(!is_in("4:memory:" JOB "/step_1/task_0", DIR "/step_0"));
	ck_assert(!is_in("4:memory:" JOB "8/step_0", DIR "/step_0"));
	ck_assert(!is_in("4:memory:" JOB, DIR "/step_0"));
	ck_assert(!is_in("4:memory:/step_0", DIR "/step_0"));
	ck_assert(!is_in("4:/job_17/step_0:/", DIR "/step_0"));
	ck_assert(!is_in("/job_17/step_0", DIR "/step_0"));
	ck_assert(!is_in("", DIR));
	ck_assert(!is_in("4:memory:/a/b", "a/b"));
	ck_assert(!is_in("4:memory:/", "/"));
	ck_assert(!is_in("4:memory:/", ""));
}
END_TEST

/* A directory of the user's named with newlines must not pass for a line. */
START_TEST(cgroup_forged)
{
	char path[256];

	ck_assert_int_eq(find("5:freezer:" JOB "/step_0/x\n4:memory:/evil\n"
			      "4:memory:" JOB "/step_0/task_0\n",
			      "memory", path),
			 -1);
	ck_assert_int_eq(find("4:memory:" JOB "/step_0/task_0/x\n"
			      "4:memory:/job_17/step_1\n",
			      "memory", path),
			 -1);
	ck_assert_int_eq(find("0::/a\n0::/b\n", NULL, path), -1);
	ck_assert_int_eq(find("4:memory:relative\n", "memory", path), -1);
	ck_assert_int_eq(find("4:memory:\n", "memory", path), -1);
	ck_assert_int_eq(
		find("memory:/a\nmemory\n:\n::\n4:memory\n", "memory", path),
		0);
}
END_TEST

static const struct {
	const char *path, *job, *step; /* NULL: none */
} splits[] = {
	{ JOB "/step_0/task_0", JOB, JOB "/step_0" },
	{ JOB "/step_0", JOB, JOB "/step_0" },
	{ JOB "/step_batch/task_0", JOB, JOB "/step_batch" },
	{ JOB "/step_extern", JOB, JOB "/step_extern" },
	{ JOB "/step_0+1/task_3", JOB, JOB "/step_0+1" },
	{ "/a/job_17/step_0/slurm", "/a/job_17", "/a/job_17/step_0" },
	{ "/job_17/step_0/user/task_0", "/job_17", "/job_17/step_0" },
	/* The first pair is Slurm's, what follows may be the user's. */
	{ JOB "/step_0/task_0/job_17/step_9", JOB, JOB "/step_0" },
	{ "/job_16/step_0/job_17/step_1", NULL, NULL },
	{ "/job_16/step_0/s409M8184CQC00/step_1", NULL, NULL },
	{ "/x.slice/y.scope/s409M8184CQC00/step_0/user/task_0",
	  "/x.slice/y.scope/s409M8184CQC00",
	  "/x.slice/y.scope/s409M8184CQC00/step_0" },
	{ "/s409M8184CQC00/step_0/job_18/step_0", "/s409M8184CQC00",
	  "/s409M8184CQC00/step_0" },
	{ "/s409M8184CQC0/step_0", NULL, NULL },
	{ "/s409M8184CQC000/step_0", NULL, NULL },
	{ "/s409M8184CQCU0/step_0", NULL, NULL },
	{ "/s409m8184cqc00/step_0", NULL, NULL },
	{ "/S409M8184CQC00/step_0", NULL, NULL },
	{ "/slurm/uid_0/job_170/step_0", NULL, NULL },
	{ "/slurm/uid_0/job_1/step_0", NULL, NULL },
	{ "/slurm/uid_0/xjob_17/step_0", NULL, NULL },
	{ "/slurm/uid_0/job_017/step_0", NULL, NULL },
	{ "/slurm/uid_0/job_17x/step_0", NULL, NULL },
	{ "/slurm/uid_0/job_17/x/step_0", NULL, NULL },
	{ "/slurm/uid_0/job_17/step_", NULL, NULL },
	{ "/slurm/uid_0/job_17/step", NULL, NULL },
	{ "/slurm/uid_0/job_17/steps_0", NULL, NULL },
	{ "/slurm/uid_0/job_17/step_0\n", NULL, NULL },
	{ "/slurm/uid_0/job_17/step_.", NULL, NULL },
	{ "/slurm/uid_0/job_17/", NULL, NULL },
	{ "/slurm/uid_0/job_17", NULL, NULL },
	{ "/step_0", NULL, NULL },
	{ "/", NULL, NULL },
	{ "", NULL, NULL },
};

START_TEST(split)
{
	struct span s = { splits[_i].path, strlen(splits[_i].path) };
	size_t job_len = 999, step_len = 999;
	bool found = procfs_split(s, 17, &job_len, &step_len);

	ck_assert_msg(found == (splits[_i].job != NULL), "%s", s.at);
	if (!found)
		return;
	ck_assert_msg(job_len == strlen(splits[_i].job) &&
			      memcmp(s.at, splits[_i].job, job_len) == 0,
		      "%s: job %zu", s.at, job_len);
	ck_assert_msg(step_len == strlen(splits[_i].step) &&
			      memcmp(s.at, splits[_i].step, step_len) == 0,
		      "%s: step %zu", s.at, step_len);
}
END_TEST

START_TEST(split_largest_job)
{
	static const char path[] = "/job_4294967295/step_0";
	struct span s = { path, sizeof(path) - 1 };
	size_t j, t;

	ck_assert(procfs_split(s, UINT32_MAX, &j, &t));
}
END_TEST

START_TEST(above)
{
	static const char p[] = "m/slurm/uid_0/job_17";

	ck_assert_uint_eq(procfs_above(p, strlen(p), 1, 0), strlen(p));
	ck_assert_uint_eq(procfs_above(p, strlen(p), 1, 1),
			  strlen("m/slurm/uid_0"));
	ck_assert_uint_eq(procfs_above(p, strlen(p), 1, 2), strlen("m/slurm"));
	ck_assert_uint_eq(procfs_above(p, strlen(p), 1, 3), 1);
	ck_assert_uint_eq(procfs_above(p, strlen(p), 1, 4), 0);
	ck_assert_uint_eq(procfs_above(p, strlen(p), 7, 2), 7);
	ck_assert_uint_eq(procfs_above(p, strlen(p), 7, 3), 0);
	ck_assert_uint_eq(procfs_above(p, strlen(p), 8, 2), 0);
	ck_assert_uint_eq(procfs_above("a", 1, 0, 1), 0);
	ck_assert_uint_eq(procfs_above("", 0, 0, 1), 0);
}
END_TEST

static bool mount_of(const char *line, const char *controller,
		     struct procfs_mount *m)
{
	return procfs_mount(line, strlen(line), controller, m);
}

START_TEST(mounts)
{
	struct procfs_mount m;

	ck_assert(mount_of("34 30 0:31 / /sys/fs/cgroup/memory rw,relatime - "
			   "cgroup cgroup rw,memory",
			   "memory", &m));
	ck_assert_str_eq(m.root, "/");
	ck_assert_str_eq(m.point, "/sys/fs/cgroup/memory");
	ck_assert(mount_of("34 30 0:31 /docker/ab /cg shared:9 master:1 - "
			   "cgroup cgroup rw,hugetlb,memory",
			   "memory", &m));
	ck_assert_str_eq(m.root, "/docker/ab");
	ck_assert(mount_of("34 30 0:31 / /mnt/a\\040b\\134c\\012 rw - cgroup "
			   "none rw,memory",
			   "memory", &m));
	ck_assert_str_eq(m.point, "/mnt/a b\\c\n");
	ck_assert(mount_of("40 30 0:37 / /sys/fs/cgroup/unified rw - cgroup2 "
			   "cgroup2 rw,nsdelegate",
			   NULL, &m));
	ck_assert_str_eq(m.point, "/sys/fs/cgroup/unified");
}
END_TEST

static const char *const no_mount[] = {
	"",
	" ",
	"34",
	"34 30 0:31 / /sys/fs/cgroup/memory rw,relatime",
	"34 30 0:31 / /m rw - cgroup cgroup",
	"34 30 0:31 / /m rw - cgroup cgroup rw,cpu",
	"34 30 0:31 / /m rw - cgroup cgroup rw,memoryx",
	"34 30 0:31 / /m rw - cgroup cgroup rw,xmemory",
	"34 30 0:31 / /m rw - cgroup memory rw",
	"34 30 0:31 / /m rw - fuse.cgroup cgroup rw,memory",
	"34 30 0:31 / /m rw - cgroup2 cgroup rw,memory",
	"34 30 0:31 / /m rw cgroup cgroup rw,memory",
	"34 30 0:31 / m rw - cgroup cgroup rw,memory",
	"34 30 0:31 x /m rw - cgroup cgroup rw,memory",
	"34 30 0:31 / /m\\04 rw - cgroup cgroup rw,memory",
	"34 30 0:31 / /m\\08 rw - cgroup cgroup rw,memory",
	"34 30 0:31 / /m\\089 rw - cgroup cgroup rw,memory",
	"34 30 0:31 / /m\\000 rw - cgroup cgroup rw,memory",
	"34 30 0:31 / /m\\777 rw - cgroup cgroup rw,memory",
	"34 30 0:31 / /m\\ rw - cgroup cgroup rw,memory",
	"34 30 0:31 /  rw - cgroup cgroup rw,memory",
};

START_TEST(mount_refused)
{
	struct procfs_mount m;

	ck_assert_msg(!mount_of(no_mount[_i], "memory", &m), "%s",
		      no_mount[_i]);
}
END_TEST

START_TEST(mount_long)
{
	static char line[4096] = "34 30 0:31 / /";
	struct procfs_mount m;
	size_t at = strlen(line);

	memset(line + at, 'x', PROCFS_PATH_MAX - 2);
	strcpy(line + at + PROCFS_PATH_MAX - 2,
	       " rw - cgroup cgroup rw,memory");
	ck_assert(mount_of(line, "memory", &m));
	ck_assert_uint_eq(strlen(m.point), PROCFS_PATH_MAX - 1);
	memset(line + at, 'x', PROCFS_PATH_MAX - 1);
	strcpy(line + at + PROCFS_PATH_MAX - 1,
	       " rw - cgroup cgroup rw,memory");
	ck_assert(!mount_of(line, "memory", &m));
}
END_TEST

static const struct {
	const char *root, *point, *path, *joined; /* NULL: refused */
} joins[] = {
	{ "/", "/cg", "/job_1/step_0", "cg/job_1/step_0" },
	{ "/", "/cg", "/", "cg/" },
	{ "/docker/ab", "/cg", "/docker/ab/job_1", "cg/job_1" },
	{ "/docker/ab", "/cg", "/docker/ab", "cg" },
	{ "/docker/ab", "/cg", "/docker/abc/job_1", NULL },
	{ "/docker/ab", "/cg", "/docker", NULL },
	{ "/docker/ab", "/cg", "/job_1", NULL },
	{ "/", "/cg", "/../job_1", NULL },
	{ "/..", "/cg", "/../job_1", NULL },
	{ "/", "/cg", "/a/..", NULL },
	{ "/", "/cg", "/a/..b/c..", "cg/a/..b/c.." },
	{ "/", "/", "/a", NULL },
};

START_TEST(join)
{
	struct procfs_mount m;
	struct span path = { joins[_i].path, strlen(joins[_i].path) };
	char out[64] = "";
	size_t n;

	strcpy(m.root, joins[_i].root);
	strcpy(m.point, joins[_i].point);
	n = procfs_join(&m, path, out, sizeof(out));
	ck_assert_uint_eq(n, joins[_i].joined ? strlen(joins[_i].joined) : 0);
	if (n)
		ck_assert_str_eq(out, joins[_i].joined);
}
END_TEST

START_TEST(join_fits)
{
	struct procfs_mount m = { "/", "/cg" };
	struct span path = { "/abc", 4 };
	char out[8];

	ck_assert_uint_eq(procfs_join(&m, path, out, 7), 6);
	ck_assert_uint_eq(procfs_join(&m, path, out, 6), 0);
	ck_assert_uint_eq(procfs_join(&m, path, out, 3), 0);
	path.at = "/a\0b";
	ck_assert_uint_eq(procfs_join(&m, path, out, sizeof(out)), 0);
}
END_TEST

static const struct {
	const char *text;
	bool ok;
	uint64_t value;
} numbers[] = {
	{ "0\n", true, 0 },
	{ "42", true, 42 },
	{ "9223372036854771712\n", true, INT64_MAX - 4095 },
	{ "18446744073709551615\n", true, UINT64_MAX },
	{ "max\n", true, UINT64_MAX },
	{ "18446744073709551616\n", false, 0 },
	{ "99999999999999999999999\n", false, 0 },
	{ "", false, 0 },
	{ "\n", false, 0 },
	{ "-1\n", false, 0 },
	{ "1\n\n", false, 0 },
	{ "1 \n", false, 0 },
	{ " 1\n", false, 0 },
	{ "0x1\n", false, 0 },
	{ "maximum", false, 0 },
};

START_TEST(u64)
{
	uint64_t v = 77;
	bool ok = procfs_u64(numbers[_i].text, strlen(numbers[_i].text), &v);

	ck_assert_msg(ok == numbers[_i].ok, "%s", numbers[_i].text);
	ck_assert_uint_eq(v, ok ? numbers[_i].value : 77);
}
END_TEST

START_TEST(keys)
{
	static const char text[] = "oom_kill_disable 0\nunder_oom 1\n"
				   "oom_kill 3\n";
	uint64_t v = 77;

	ck_assert(procfs_key_u64(text, sizeof(text) - 1, "oom_kill", &v));
	ck_assert_uint_eq(v, 3);
	ck_assert(procfs_key_u64(text, sizeof(text) - 1, "under_oom", &v));
	ck_assert_uint_eq(v, 1);
	ck_assert(!procfs_key_u64(text, sizeof(text) - 1, "oom", &v));
	ck_assert(!procfs_key_u64(text, 30, "oom_kill", &v));
	ck_assert(!procfs_key_u64("oom_kill", 8, "oom_kill", &v));
	ck_assert(!procfs_key_u64("oom_kill ", 9, "oom_kill", &v));
	ck_assert(!procfs_key_u64("oom_kill x\n", 11, "oom_kill", &v));
}
END_TEST

START_TEST(mem_total)
{
	static const char text[] = "MemTotal:        1892528 kB\n"
				   "SwapCached:          3 kB\n"
				   "SwapTotal:        1024 kB\n";
	static const char *const bad[] = {
		"",
		"MemTotal:",
		"MemTotal: kB\n",
		"MemTotal: 5\n",
		"MemTotal: 5 MB\n",
		"MemTotal: 18446744073709551615 kB\n",
		"MemTotal: 99999999999999999999 kB\n",
		"xMemTotal: 5 kB\n",
	};
	uint64_t v = 77;

	ck_assert(procfs_mem_total(text, sizeof(text) - 1, &v));
	ck_assert_uint_eq(v, UINT64_C(1892528) * 1024);
	ck_assert(procfs_swap_total(text, sizeof(text) - 1, &v));
	ck_assert_uint_eq(v, UINT64_C(1024) * 1024);
	ck_assert(!procfs_swap_total(text, 30, &v));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!procfs_mem_total(bad[i], strlen(bad[i]), &v),
			      "%s", bad[i]);
}
END_TEST

/* Every prefix and every single-byte change of real texts, under a sanitizer
 * or not, must stay inside the buffer; each copy is as large as its text. */
#define STAT(name, state, flags, pending)                                      \
	"4242 (" name ") " state " 1 4242 4242 0 -1 " flags                    \
	" 90 0 0 0 0 0 0 0 20 0 1 0 177 2560000 200 18446744073709551615 1 1 " \
	"0 0 0 " pending " 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"

START_TEST(dying)
{
	static const struct {
		bool dying;
		const char *text;
	} all[] = {
		{ false, STAT("sleep", "S", "4194304", "0") },
		{ false, STAT("sleep", "D", "4194560", "2") },
		{ true, STAT("sleep", "D", "4194304", "256") },
		{ true, STAT("sleep", "D", "4194304", "258") },
		{ true, STAT("sleep", "R", "4194308", "0") },
		{ true, STAT("sleep", "Z", "4194304", "0") },
		{ true, STAT("sleep", "X", "4194304", "0") },
		/* The name is the program's choice. */
		{ false, STAT("a) Z 1 1 1 0 -1 4 (", "S", "4194304", "0") },
		{ false, STAT("a) Z 1\n1 (b", "S", "4194304", "0") },
		{ true, STAT("a) S 1\n1 (b", "Z", "4194304", "0") },
		{ false, "" },
		{ false, "4242 (sleep)" },
		{ false, "4242 (sleep) " },
		{ false, "4242 (sleep)Z 1" },
		{ false, "Z" },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		ck_assert_msg(procfs_dying(all[i].text, strlen(all[i].text)) ==
				      all[i].dying,
			      "%s", all[i].text);
}
END_TEST

START_TEST(mangled)
{
	static const char mountinfo[] =
		"34 30 0:31 / /mnt/a\\040b shared:1 - cgroup cgroup rw,memory";
	static const char *const texts[] = { hybrid, v2, mountinfo,
					     "MemTotal: 18 kB\noom_kill 3\n" };
	struct procfs_mount m;
	struct span s;
	uint64_t v;
	size_t j, t;

	for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++) {
		size_t full = strlen(texts[k]);

		for (size_t len = 0; len <= full; len++) {
			char *copy = malloc(len + !len);

			ck_assert_ptr_nonnull(copy);
			memcpy(copy, texts[k], len);
			for (size_t at = 0; at < len; at++) {
				char old = copy[at];

				copy[at] = "\0\n:/ \\,-9\xff"[(at + len) % 10];
				if (procfs_cgroup(copy, len, "memory", &s) == 1)
					procfs_split(s, 17, &j, &t);
				procfs_cgroup(copy, len, NULL, &s);
				procfs_mount(copy, len, "memory", &m);
				procfs_mem_total(copy, len, &v);
				procfs_swap_total(copy, len, &v);
				procfs_key_u64(copy, len, "oom_kill", &v);
				procfs_dying(copy, len);
				copy[at] = old;
			}
			free(copy);
		}
	}
}
END_TEST

#define LOOP(tc, test, table)                                                  \
	tcase_add_loop_test(tc, test, 0,                                       \
			    (int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
	Suite *s = suite_create("procfs");
	TCase *tc = tcase_create("procfs");

	tcase_add_test(tc, cgroup_lines);
	tcase_add_test(tc, where_a_process_is);
	tcase_add_test(tc, cgroup_forged);
	LOOP(tc, split, splits);
	tcase_add_test(tc, split_largest_job);
	tcase_add_test(tc, above);
	tcase_add_test(tc, mounts);
	LOOP(tc, mount_refused, no_mount);
	tcase_add_test(tc, mount_long);
	LOOP(tc, join, joins);
	tcase_add_test(tc, join_fits);
	LOOP(tc, u64, numbers);
	tcase_add_test(tc, keys);
	tcase_add_test(tc, mem_total);
	tcase_add_test(tc, dying);
	tcase_add_test(tc, mangled);
	suite_add_tcase(s, tc);
	return gbm_check_main(s);
}
