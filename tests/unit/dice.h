/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_DICE_H
#define TESTS_UNIT_DICE_H

#include "scratch.h"

#include <inttypes.h>
#include <sys/random.h>

/*
 * Random numbers of a test (splitmix64).  The seed is printed; with it in
 * $STEPVAULT_SEED the test does the same again.
 */
struct dice {
	uint64_t state;
};

static inline struct dice
dice_new(void)
{
	const char *given = getenv("STEPVAULT_SEED");
	struct dice dice;

	if (given != NULL)
		dice.state = strtoull(given, NULL, 10);
	else if (getrandom(&dice.state, sizeof(dice.state), 0) !=
	    sizeof(dice.state))
		fail_msg("there are no random numbers");
	print_message("STEPVAULT_SEED=%" PRIu64 "\n", dice.state);
	return dice;
}

/* A number of 64 random bits. */
static inline uint64_t
dice_bits(struct dice *dice)
{
	uint64_t mix = dice->state += UINT64_C(0x9e3779b97f4a7c15);

	mix = (mix ^ mix >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	mix = (mix ^ mix >> 27) * UINT64_C(0x94d049bb133111eb);
	return mix ^ mix >> 31;
}

/* A number from 0 to sides - 1. */
static inline size_t
dice_roll(struct dice *dice, size_t sides)
{
	return (size_t)(dice_bits(dice) % sides);
}

static inline void
dice_fill(struct dice *dice, void *bytes, size_t length)
{
	unsigned char *to = bytes;

	for (size_t i = 0; i < length; i++)
		to[i] = (unsigned char)(dice_bits(dice) >> 56);
}

#endif
