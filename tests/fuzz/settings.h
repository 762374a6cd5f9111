/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FUZZ_SETTINGS_H
#define TESTS_FUZZ_SETTINGS_H

#include "fuzz.h"

#include "source/settings.h"

/*
 * Read the data as a site's configuration, twice in a row.  Each setting has a
 * name, a line that there is, and a text of bounded length or a reason; and
 * what is found by its name is of it or of what it is in.
 */

typedef int (*fuzz_reader)(struct settings *settings, const char *file,
    const char *text, size_t length, struct fault *fault);

static inline void
check_found(const struct settings *settings, const char *name,
    enum settings_order order)
{
	const struct setting *other;
	const struct setting *found =
	    settings_find(settings, name, order, &other);

	CHECK(found != NULL || other == NULL);
	CHECK(found == NULL ||
	    strncmp(found->name, name, strlen(found->name)) == 0);
}

static inline void
check_setting(const struct settings *settings, size_t at, int lines)
{
	const struct setting *setting = &settings->items[at];

	CHECK(setting->name[0] != '\0');
	CHECK(setting->line >= 1 && setting->line <= lines);
	CHECK(setting->text == NULL || setting->reason == NULL);
	CHECK(setting->text == NULL || strlen(setting->text) <= 4096);
	/* Each look goes through all of them. */
	if (at >= 100)
		return;
	check_found(settings, setting->name, SETTINGS_FIRST);
	check_found(settings, setting->name, SETTINGS_LAST);
}

static inline void
fuzz_settings(fuzz_reader read, const uint8_t *data, size_t size)
{
	struct settings settings = { 0 };
	struct fault fault;
	/* Without a NUL behind: nobody may look there. */
	char *text = malloc(size > 0 ? size : 1);
	int lines = 1;
	size_t count;

	CHECK(text != NULL);
	memcpy(text, data, size);
	for (size_t i = 0; i < size; i++)
		lines += text[i] == '\n';
	if (read(&settings, "one", text, size, &fault) != 0) {
		check_fault(&fault, FAULT_USAGE);
	} else {
		count = settings.count;
		for (size_t i = 0; i < count; i++)
			check_setting(&settings, i, lines);
		if (read(&settings, "two", text, size, &fault) == 0)
			settings_move(&settings, count, 0);
		else
			check_fault(&fault, FAULT_USAGE);
	}
	settings_close(&settings);
	free(text);
}

#endif
