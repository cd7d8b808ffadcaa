/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Functions that code running as root in slurmstepd must not call: those that
 * cannot be told the size of their buffer, those that parse numbers without
 * reporting an error, those that allocate (a task's launch must not depend on
 * malloc), and those that start programs. Include this after every other
 * header: using a name below is then a compile error.
 */
#ifndef GBM_PLUGIN_BANNED_H
#define GBM_PLUGIN_BANNED_H

#undef alloca /* a macro in glibc */

#pragma GCC poison strcpy strncpy strcat strncat stpcpy sprintf vsprintf gets
#pragma GCC poison strtok strtok_r sscanf fscanf scanf atoi atol atoll atof
#pragma GCC poison strtol strtoul strtoll strtoull strtod strtof strtold
#pragma GCC poison malloc calloc realloc reallocarray free alloca
#pragma GCC poison strdup strndup asprintf vasprintf getline opendir fopen
#pragma GCC poison strerror strerror_l
#pragma GCC poison system popen tmpnam tempnam mktemp access realpath

#endif
