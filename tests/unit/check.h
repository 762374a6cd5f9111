/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_CHECK_H
#define TESTS_UNIT_CHECK_H

#include "scratch.h"

#include "base/fault.h"

/* The call ends well, or the test fails with what the fault says. */
#define assert_fine(call, fault)                                             \
	do {                                                                 \
		fault_clear(fault);                                          \
		if ((call) != 0)                                             \
			fail_msg("%s failed: %s (%s)", #call, (fault)->text, \
			    fault_code_name((fault)->code));                 \
	} while (0)

/* The call fails with this code, and its text holds these words. */
#define assert_faulty(call, wanted, words, fault)                           \
	do {                                                                \
		fault_clear(fault);                                         \
		if ((call) != -1)                                           \
			fail_msg("%s did not fail", #call);                 \
		if ((fault)->code != (wanted) ||                            \
		    strstr((fault)->text, words) == NULL)                   \
			fail_msg("%s failed with '%s' (%s), not '%s' (%s)", \
			    #call, (fault)->text,                           \
			    fault_code_name((fault)->code), words,          \
			    fault_code_name(wanted));                       \
	} while (0)

#define assert_contains(text, words)                                  \
	do {                                                          \
		if (strstr(text, words) == NULL)                      \
			fail_msg("'%s' is not in '%s'", words, text); \
	} while (0)

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
