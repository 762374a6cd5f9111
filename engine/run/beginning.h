/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_RUN_BEGINNING_H
#define ENGINE_RUN_BEGINNING_H

#include "store/datadir.h"
#include "store/record.h"

struct engine;
struct fault;
struct profile;

/*
 * Begin a backup of a profile: directories, state and record, durable on
 * return.  id is set to its ID.  The caller holds the profile's lock.  Returns
 * 0 or -1.
 */
int beginning_make(struct engine *engine, const struct profile *profile,
    enum record_origin origin, char id[ID_SIZE], struct fault *fault);

#endif
