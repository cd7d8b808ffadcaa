/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An MPI program of which each rank has a balloon of memory:
 *
 *   balloon_mpi MB
 *
 * Piece by piece, and all ranks in step, the last one takes MB megabytes and
 * those before it evenly less, the first 1/SIZE of that. Run it only where
 * something else sets a limit, or in a machine that may be lost.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mpi.h>

#define PIECE ((size_t)1 << 20)

int main(int argc, char **argv)
{
	int rank, size;
	unsigned long mb;
	char *end = NULL;

	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	mb = argc == 2 ? strtoul(argv[1], &end, 10) : 0;
	if (!end || *end != '\0' || mb < 1 || mb > 1 << 20) {
		fputs("usage: balloon_mpi MB\n", stderr);
		MPI_Abort(MPI_COMM_WORLD, 64);
	}
	for (unsigned long n = 0; n < mb; n++) {
		int all = 0, one = 1;

		/* Every SIZE-th piece for the first rank, each for the last. */
		if (n % (unsigned int)size <= (unsigned int)rank) {
			char *piece = malloc(PIECE);

			if (!piece) {
				perror("balloon_mpi");
				MPI_Abort(MPI_COMM_WORLD, 1);
			}
			memset(piece, 1 + (int)(n % 255), PIECE);
		}
		MPI_Allreduce(&one, &all, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
		if (all != size)
			MPI_Abort(MPI_COMM_WORLD, 1);
	}
	if (rank == 0)
		printf("balloon_mpi: done, %d ranks\n", size);
	return MPI_Finalize();
}
