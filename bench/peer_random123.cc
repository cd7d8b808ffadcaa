/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <Random123/boxmuller.hpp>
#include <Random123/philox.h>
#include <cstdint>

/* Two normals of the 128 bits of one counter. */
#define PEER_BLOCK 256

static r123::Philox4x32 philox;
static r123::Philox4x32::key_type key = { { 1, 0 } };
static std::uint64_t counter;

static inline void normals(double *z)
{
	for (int i = 0; i < PEER_BLOCK; i += 2) {
		r123::Philox4x32::ctr_type c = { { (std::uint32_t)counter,
						  (std::uint32_t)(counter >> 32),
						  0, 0 } };
		r123::Philox4x32::ctr_type r = philox(c, key);
		r123::double2 pair = r123::boxmuller(
			(std::uint64_t)r[1] << 32 | r[0],
			(std::uint64_t)r[3] << 32 | r[2]);

		counter++;
		z[i] = pair.x;
		z[i + 1] = pair.y;
	}
}

#include "bench/peer.h"

void contender_init(int, char **)
{
}
