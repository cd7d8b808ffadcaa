/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <random>

static std::mt19937_64 engine(1);
static std::normal_distribution<double> law;

static inline double normal()
{
	return law(engine);
}

#include "bench/peer.h"

void contender_init(int, char **)
{
}
