/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_NPY_H
#define GBM_NPY_H

/*
 * The header of a file of NumPy's, format 1.0 (NEP 1): magic, version, length,
 * a dictionary in Python, spaces up to where the data start.  No input or
 * output here.
 */

#include <stdint.h>

/*
 * Where the data start: a page, so that blocks of paths are whole pages of
 * 4 KiB.  Not a larger page's 16 or 64 KiB: since 1.24 NumPy refuses headers
 * of more than 10000 bytes.
 */
#define GBM_NPY_DATA 4096

/*
 * Fills the header of an array of this machine's floats, of 4 or 8 bytes each:
 * of shape (rows,) when columns is 0, else (rows, columns), in C's order.
 */
void gbm_npy_header(char header[GBM_NPY_DATA], unsigned float_bytes,
		    uint64_t rows, uint64_t columns);

#endif
