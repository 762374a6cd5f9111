/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_STORE_VALUES_H
#define ENGINE_STORE_VALUES_H

struct fault;

/*
 * How the values of the configuration are written.  Each function parses text
 * into the place of the type named in its comment, which was zeroed or holds
 * an earlier value that it frees.  Returns 0, or -1 with a FAULT_USAGE whose
 * text says what would be right.
 */

/* bool: yes or no. */
int values_flag(void *place, const char *text, struct fault *fault);

/* int64_t nanoseconds: a number and ms, s, m, h or d; 0 needs no unit. */
int values_duration(void *place, const char *text, struct fault *fault);

/* int64_t bytes: a number, or one with K, M, G or T (powers of 1024). */
int values_size(void *place, const char *text, struct fault *fault);

/* int64_t: a number from 0 to 1,000,000. */
int values_count(void *place, const char *text, struct fault *fault);

/* char *: text of 1 to 200 bytes. */
int values_text(void *place, const char *text, struct fault *fault);

/* char *: a time zone that the system knows, such as Europe/Berlin. */
int values_zone(void *place, const char *text, struct fault *fault);

/* char *: an absolute path of fewer than 4,096 bytes. */
int values_path(void *place, const char *text, struct fault *fault);

/* struct texts: a pattern is added. */
int values_pattern(void *place, const char *text, struct fault *fault);

/* struct extras: NAME:/PATH is added. */
int values_extra(void *place, const char *text, struct fault *fault);

/* struct databases: one is added (see database.h), with a label of its own. */
int values_database(void *place, const char *text, struct fault *fault);

/* struct texts: a pattern of names of tables is added. */
int values_tables(void *place, const char *text, struct fault *fault);

/* int, enum definers: keep or drop. */
int values_definers(void *place, const char *text, struct fault *fault);

/* struct compression: zstd:1 to 19, gzip:1 to 9, xz:0 to 9, none. */
int values_compression(void *place, const char *text, struct fault *fault);

/* struct netblocks: an address or CIDR block is added; empty adds nothing. */
int values_netblock(void *place, const char *text, struct fault *fault);

/* struct secret: its text, checked for strength, as a hash. */
int values_secret(void *place, const char *text, struct fault *fault);

/* struct secret: sha256: and 64 hexadecimal digits. */
int values_secret_hash(void *place, const char *text, struct fault *fault);

#endif
