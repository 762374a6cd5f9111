/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_BASE_STAMP_H
#define ENGINE_BASE_STAMP_H

#include <stdbool.h>
#include <stdint.h>

/* Points in time: seconds since 1970 in UTC, and how they are written. */

#define STAMP_TEXT_SIZE 40

/* The time now, by the wall clock. */
int64_t stamp_now(void);

/*
 * Write a time as RFC 3339 says (2026-11-21T09:30:15+01:00), in the process's
 * time zone, and return text.
 */
const char *stamp_text(int64_t stamp, char text[STAMP_TEXT_SIZE]);

/* The same as 20261121-093015, always in UTC. */
const char *stamp_compact(int64_t stamp, char text[STAMP_TEXT_SIZE]);

/* The system knows a time zone of this name (Europe/Berlin, UTC). */
bool stamp_is_zone(const char *name);

/*
 * Use the time zone of this name for stamp_text in the
 * whole process; not to be called once there are threads.  Returns 0, or -1 if
 * the system does not know the zone.
 */
int stamp_use_zone(const char *name);

#endif
