/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Preloaded before libasan. The allocator of gcc 12's does not see a fork coming:
 * where another thread is inside of it just then, the child finds its lock taken
 * by nobody, and waits for ever at its first allocation. slurmstepd allocates
 * between fork and exec, which glibc's own allocator allows.
 *
 * So nobody is inside of it at a fork.
 */
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC visibility push(default)

/* libasan's own, by the names that it has for those who wrap them. */
void *__interceptor_malloc(size_t n);
void *__interceptor_calloc(size_t n, size_t size);
void *__interceptor_realloc(void *p, size_t n);
void *__interceptor_memalign(size_t align, size_t n);
void *__interceptor_aligned_alloc(size_t align, size_t n);
int __interceptor_posix_memalign(void **p, size_t align, size_t n);
void __interceptor_free(void *p);
char *__interceptor_strdup(const char *s);

/* With many threads inside, one that forks would hardly ever get its turn. */
#define UNLOCKED PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP

static pthread_rwlock_t inside = UNLOCKED;

static void before(void) { pthread_rwlock_wrlock(&inside); }
static void after(void) { pthread_rwlock_unlock(&inside); }

/* The child has one thread, which is not that of the parent for the lock. */
static void begin(void)
{
	static const pthread_rwlock_t unlocked = UNLOCKED;

	memcpy(&inside, &unlocked, sizeof(inside));
}

/* As the first of all: it is then the last before a fork. */
static __attribute__((constructor(101))) void watch(void)
{
	pthread_atfork(before, after, begin);
}

#define WRAP(type, name, parameters, arguments)                  \
	type name parameters                                     \
	{                                                        \
		type result;                                     \
								 \
		pthread_rwlock_rdlock(&inside);                  \
		result = __interceptor_##name arguments;         \
		pthread_rwlock_unlock(&inside);                  \
		return result;                                   \
	}

WRAP(void *, malloc, (size_t n), (n))
WRAP(void *, calloc, (size_t n, size_t size), (n, size))
WRAP(void *, realloc, (void *p, size_t n), (p, n))
WRAP(void *, memalign, (size_t align, size_t n), (align, n))
WRAP(void *, aligned_alloc, (size_t align, size_t n), (align, n))
WRAP(int, posix_memalign, (void **p, size_t align, size_t n), (p, align, n))
WRAP(char *, strdup, (const char *s), (s))

void free(void *p)
{
	pthread_rwlock_rdlock(&inside);
	__interceptor_free(p);
	pthread_rwlock_unlock(&inside);
}

#pragma GCC visibility pop
