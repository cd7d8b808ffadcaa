/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The least that a program of MPI does. */
#include <mpi.h>

int main(int argc, char **argv)
{
	if (MPI_Init(&argc, &argv) != MPI_SUCCESS)
		return 1;
	return MPI_Finalize() == MPI_SUCCESS ? 0 : 1;
}
