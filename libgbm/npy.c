/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "libgbm/npy.h"

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ORDER '<'
#else
#define ORDER '>'
#endif

#define PREFIX 10 /* bytes before the dictionary */
#define LENGTH (GBM_NPY_DATA - PREFIX)

void gbm_npy_header(char header[GBM_NPY_DATA], unsigned float_bytes,
		    uint64_t rows, uint64_t columns)
{
	static const char magic[] = "\x93NUMPY\x01";
	char second[24] = "";
	int n;

	memset(header, ' ', GBM_NPY_DATA);
	memcpy(header, magic, sizeof(magic)); /* with the minor version, 0 */
	header[8] = (char)(LENGTH & 0xff);
	header[9] = (char)(LENGTH >> 8);
	if (columns)
		snprintf(second, sizeof(second), " %llu",
			 (unsigned long long)columns);
	n = snprintf(header + PREFIX, LENGTH,
		     "{'descr': '%cf%u', 'fortran_order': False, "
		     "'shape': (%llu,%s), }",
		     ORDER, float_bytes, (unsigned long long)rows, second);
	header[PREFIX + n] = ' ';
	header[GBM_NPY_DATA - 1] = '\n';
}
