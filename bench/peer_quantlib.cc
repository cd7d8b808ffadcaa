/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * QuantLib's own loop: its path generator over its geometric Brownian motion,
 * which takes Euler's steps, without exp(): less work, and a biased price.
 */
#include <ql/math/randomnumbers/rngtraits.hpp>
#include <ql/methods/montecarlo/pathgenerator.hpp>
#include <ql/processes/geometricbrownianprocess.hpp>

#include "bench/contender.h"

using namespace QuantLib;
typedef PathGenerator<PseudoRandom::rsg_type> Generator;

static inline double call(double price);

static void peer_paths(std::uint64_t n, int steps, int asian, struct sample *s)
{
	static const ext::shared_ptr<StochasticProcess> process =
		ext::make_shared<GeometricBrownianMotionProcess>(SPOT, RATE,
								 VOL);
	static Generator one(process, HORIZON, 1,
			     PseudoRandom::make_sequence_generator(1, 1), false);
	static Generator many(process, HORIZON, STEPS,
			      PseudoRandom::make_sequence_generator(STEPS, 2),
			      false);
	Generator &generator = steps == 1 ? one : many;
	double sum = 0, sum2 = 0;

	for (std::uint64_t k = 0; k < n; k++) {
		const Path &path = generator.next().value;
		double v = path.back();

		if (asian) {
			double total = 0;

			for (int t = 1; t <= steps; t++)
				total += path[t];
			v = total / steps;
		}
		v = call(v);
		sum += v;
		sum2 += v * v;
	}
	s->values = n;
	s->units = n * static_cast<std::uint64_t>(steps);
	s->sum = sum;
	s->sum2 = sum2;
}

static void peer_normals(std::uint64_t n, double *buffer)
{
	static auto sequence = PseudoRandom::make_sequence_generator(BUFFER, 3);

	for (std::uint64_t k = 0; k < n; k += BUFFER) {
		const std::vector<Real> &z = sequence.nextSequence().value;

		std::copy(z.begin(), z.end(), buffer);
	}
}

#define PEER_OWN_LOOPS
#include "bench/peer.h"

void contender_init(int, char **)
{
}
