/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Runs a fuzz target without a fuzzer, by any compiler: on each file of its
 * corpus, on every beginning of it, and with every byte of it changed to a few
 * others. Prints TAP.
 */
#define _GNU_SOURCE /* scandir, alphasort */
#include <dirent.h>
#include <errno.h>

#include "fuzz.h"

#define PATH_LEN 1024
#define FILE_LEN (64 * 1024)

static void run(const char *text, size_t len)
{
	char *copy = exact_copy(text, len);

	LLVMFuzzerTestOneInput((const uint8_t *)copy, len);
	free(copy);
}

static void replay(char *text, size_t len)
{
	static const char others[] = { '\0', '\n', ' ', '/', '0',
				       '9',  'a',  '~', -1 };

	for (size_t i = 0; i <= len; i++)
		run(text, i);
	for (size_t i = 0; i < len; i++) {
		char was = text[i];

		for (size_t o = 0; o < sizeof(others); o++) {
			text[i] = others[o];
			run(text, len);
		}
		text[i] = was;
	}
}

int main(int argc, char **argv)
{
	static char text[FILE_LEN];
	char dir[PATH_LEN], path[2 * PATH_LEN];
	const char *name = strstr(argv[0], "fuzz_");
	struct dirent **files;
	int n, tests = 0;

	(void)argc;
	must(name);
	snprintf(dir, sizeof(dir), "%s/tests/fuzz/corpus/%s", GBM_SRCDIR,
		 name + strlen("fuzz_"));
	n = scandir(dir, &files, NULL, alphasort);
	if (n < 0) {
		printf("Bail out! %s: %s\n", dir, strerror(errno));
		return 1;
	}
	for (int i = 0; i < n; i++) {
		size_t len;
		FILE *f;

		if (files[i]->d_name[0] != '.') {
			snprintf(path, sizeof(path), "%s/%s", dir,
				 files[i]->d_name);
			f = fopen(path, "rb");
			must(f);
			len = fread(text, 1, sizeof(text), f);
			must(len < sizeof(text));
			fclose(f);
			/* Said before, too: it may be the last word. */
			printf("# %s\n", files[i]->d_name);
			fflush(stdout);
			replay(text, len);
			printf("ok %d - %s\n", ++tests, files[i]->d_name);
		}
		free(files[i]);
	}
	free(files);
	printf("1..%d\n", tests);
	return tests > 0 ? 0 : 1;
}
