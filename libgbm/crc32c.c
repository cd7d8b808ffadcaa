/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>
#ifdef __aarch64__
#include <sys/auxv.h>
#endif

#include "libgbm/crc32c.h"

/* Bits in reverse: the top bit is the coefficient of x^0. */
#define POLYNOMIAL UINT32_C(0x82f63b78)
#define ONE	   UINT32_C(0x80000000)

/* a b modulo the polynomial. */
static uint32_t multiply(uint32_t a, uint32_t b)
{
	uint32_t product = 0;

	for (; a; a <<= 1) {
		if (a & ONE)
			product ^= b;
		b = b >> 1 ^ (b & 1 ? POLYNOMIAL : 0);
	}
	return product;
}

uint32_t gbm_crc32c_shift(uint32_t crc, uint64_t n)
{
	uint32_t power = ONE >> 8; /* x^8: one byte */

	for (; n; n >>= 1) {
		if (n & 1)
			crc = multiply(power, crc);
		power = multiply(power, power);
	}
	return crc;
}

/* Of half a byte: small enough to be written down, and to stay in a cache. */
static const uint32_t nibble[16] = {
	0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
	0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
	0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

uint32_t gbm_crc32c_plain(uint32_t crc, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	crc = ~crc;
	for (; n; n--) {
		crc ^= *p++;
		crc = crc >> 4 ^ nibble[crc & 15];
		crc = crc >> 4 ^ nibble[crc & 15];
	}
	return ~crc;
}

#if defined(__x86_64__)

static int has_instruction(void)
{
	return __builtin_cpu_supports("sse4.2");
}

__attribute__((target("sse4.2"))) static inline uint64_t word_crc(uint64_t crc,
								  uint64_t word)
{
	return __builtin_ia32_crc32di(crc, word);
}

#define TARGET __attribute__((target("sse4.2")))

#elif defined(__aarch64__)

static int has_instruction(void)
{
	return (getauxval(AT_HWCAP) & 1 << 7) != 0; /* HWCAP_CRC32 */
}

static inline uint64_t word_crc(uint64_t crc, uint64_t word)
{
	uint32_t c = (uint32_t)crc;

	/* Compilers disagree on the name of this one. */
	__asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1"
		: "+r"(c)
		: "r"(word));
	return c;
}

#define TARGET

#else

static int has_instruction(void)
{
	return 0;
}

static inline uint64_t word_crc(uint64_t crc, uint64_t word)
{
	return crc ^ word; /* never called */
}

#define TARGET

#endif

TARGET static uint32_t fast(uint32_t crc, const unsigned char *p, size_t n)
{
	uint64_t c = (uint32_t)~crc, word;

	for (; n >= sizeof(word); n -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		c = word_crc(c, word);
	}
	return gbm_crc32c_plain(~(uint32_t)c, p, n);
}

uint32_t gbm_crc32c(uint32_t crc, const void *bytes, size_t n)
{
	return has_instruction() ? fast(crc, bytes, n)
				 : gbm_crc32c_plain(crc, bytes, n);
}
