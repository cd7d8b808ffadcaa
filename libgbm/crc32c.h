/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_CRC32C_H
#define GBM_CRC32C_H

/*
 * CRC-32C (Castagnoli), as iSCSI has it (RFC 3720, B.4): the polynomial for
 * which x86-64 and AArch64 have an instruction.  Thread-safe.
 */

#include <stddef.h>
#include <stdint.h>

/* Of n more bytes after those whose CRC crc is; 0 to begin with. */
uint32_t gbm_crc32c(uint32_t crc, const void *bytes, size_t n);

/*
 * What crc contributes when n bytes follow: the CRC of A and then B is
 * gbm_crc32c_shift(crc of A, size of B) ^ crc of B.
 */
uint32_t gbm_crc32c_shift(uint32_t crc, uint64_t n);

/* Without that instruction, for tests. */
uint32_t gbm_crc32c_plain(uint32_t crc, const void *bytes, size_t n);

#endif
