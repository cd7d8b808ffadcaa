/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "libgbm/err.h"
#include "libgbm/isa.h"

static int always(void)
{
	return 1;
}

#if defined(__x86_64__)
static int has_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static int has_avx512(void)
{
	return has_avx2() && __builtin_cpu_supports("avx512f") &&
	       __builtin_cpu_supports("avx512dq");
}
#endif

/* Slowest first: the last one that the CPU can run is the default. */
static const struct {
	const struct gbm_kernel *kernel;
	int (*available)(void);
} isas[] = {
	{ &gbm_kernel_scalar, always },
#if defined(__x86_64__)
	{ &gbm_kernel_avx2, has_avx2 },
	{ &gbm_kernel_avx512, has_avx512 },
#elif defined(__aarch64__)
	{ &gbm_kernel_neon, always },
#endif
};

#define N_ISAS (sizeof(isas) / sizeof(isas[0]))

const struct gbm_kernel *gbm_kernel_available(unsigned n)
{
	for (size_t i = 0; i < N_ISAS; i++)
		if (isas[i].available() && n-- == 0)
			return isas[i].kernel;
	return NULL;
}

/* Appends the names that GBM_ISA may have to text, which has room. */
static void list_available(char *text, size_t size)
{
	const struct gbm_kernel *k;

	text[0] = '\0';
	for (unsigned i = 0; (k = gbm_kernel_available(i)); i++) {
		size_t used = strlen(text);

		if (used + strlen(k->name) + 3 > size)
			return;
		if (used)
			memcpy(text + used, ", ", 3);
		memcpy(text + strlen(text), k->name, strlen(k->name) + 1);
	}
}

const struct gbm_kernel *gbm_kernel_select(const char *name,
					   struct gbm_error *err)
{
	const struct gbm_kernel *best = NULL;
	const char *what = "is unknown";
	char names[80];

	for (size_t i = 0; i < N_ISAS; i++) {
		int ok = isas[i].available();

		if (ok)
			best = isas[i].kernel;
		if (!name || strcmp(name, isas[i].kernel->name) != 0)
			continue;
		if (ok)
			return isas[i].kernel;
		what = "is not supported by this CPU";
	}
	if (!name || !*name)
		return best;
	list_available(names, sizeof(names));
	gbm_error_set(err, GBM_EISA, "GBM_ISA=%.40s %s; use one of: %s", name,
		      what, names);
	return NULL;
}
