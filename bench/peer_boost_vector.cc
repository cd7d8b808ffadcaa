/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a careful user can make of the best peer: its normals in blocks, and the
 * C library's vector exp(), which -ffast-math allows the compiler to call.
 */
#define PEER_BLOCK 512
#include "bench/peer_boost.cc"
