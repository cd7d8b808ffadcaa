/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files of the kernel that hold a number, a number per key, or MemTotal. */
#include <ctype.h>
#include <errno.h>

#include "plugin/procfs.h"

#include "fuzz.h"

#define UNTOUCHED UINT64_C(0x5a5a5a5a5a5a5a5a)

/* By the C library; false where there is anything beside digits. */
static bool by_libc(const char *text, size_t len, uint64_t *value)
{
	char line[64], *end;

	if (len == 0 || len >= sizeof(line) || !isdigit((unsigned char)*text))
		return false;
	memcpy(line, text, len);
	line[len] = '\0';
	errno = 0;
	*value = strtoull(line, &end, 10);
	return errno == 0 && end == line + len;
}

static void check_number(const char *text, size_t len)
{
	uint64_t value = UNTOUCHED, wanted = UNTOUCHED;
	bool good = procfs_u64(text, len, &value);
	size_t plain = len > 0 && text[len - 1] == '\n' ? len - 1 : len;

	if (!good) {
		must(value == UNTOUCHED);
		must(!by_libc(text, plain, &wanted));
	} else if (plain == 3 && memcmp(text, "max", 3) == 0) {
		must(value == UINT64_MAX);
	} else if (plain < 64) {
		must(by_libc(text, plain, &wanted) && wanted == value);
	}
}

static void check_key(const char *text, size_t len, const char *key)
{
	uint64_t value = UNTOUCHED, again;
	bool good = procfs_key_u64(text, len, key, &value);
	size_t key_len = strlen(key);

	if (!good) {
		must(value == UNTOUCHED);
		return;
	}
	/* Some line begins with the key, a space, and that number. */
	while (len > 0) {
		size_t end = find_byte(text, len, '\n');

		if (end > key_len && memcmp(text, key, key_len) == 0 &&
		    text[key_len] == ' ') {
			must(procfs_u64(text + key_len + 1, end - key_len - 1,
					&again));
			must(again == value);
			return;
		}
		text += end + (end < len);
		len -= end + (end < len);
	}
	must(len > 0); /* some line was to have the key */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	uint64_t bytes = UNTOUCHED;

	check_number(text, size);
	check_key(text, size, "oom_kill");
	check_key(text, size, "under_oom");
	if (procfs_mem_total(text, size, &bytes))
		must(bytes % 1024 == 0);
	else
		must(bytes == UNTOUCHED);
	return 0;
}
