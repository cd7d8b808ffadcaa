/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <boost/random/mersenne_twister.hpp>
#include <boost/random/normal_distribution.hpp>

static boost::random::mt19937_64 engine(1);
static boost::random::normal_distribution<double> law;

static inline double normal()
{
	return law(engine);
}

/* peer_boost_vector.cc: blocks, for exp() by vectors. */
#ifdef PEER_BLOCK
static inline void normals(double *z)
{
	for (int i = 0; i < PEER_BLOCK; i++)
		z[i] = normal();
}
#endif

#include "bench/peer.h"

void contender_init(int, char **)
{
}
