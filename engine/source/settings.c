/* SPDX-License-Identifier: MIT */
#include "source/settings.h"

#include "base/fault.h"
#include "base/strbuf.h"

#include <stdlib.h>
#include <string.h>

/* Whoever can write to the site's configuration has no more of our memory. */
#define SETTINGS_MAX       10000
#define SETTINGS_BYTES_MAX (2 * 1024 * 1024)

int
settings_add(struct settings *settings, const struct setting *added,
    const char *text, struct fault *fault)
{
	struct setting *setting;

	settings->bytes +=
	    strlen(added->name) + (text != NULL ? strlen(text) : 0);
	if (settings->count >= SETTINGS_MAX ||
	    settings->bytes > SETTINGS_BYTES_MAX)
		return fault_set(fault, FAULT_USAGE,
		    "there is more in it than in any configuration");
	/* Room for a power of two. */
	if ((settings->count & (settings->count - 1)) == 0) {
		size_t room = settings->count > 0 ? settings->count * 2 : 1;

		settings->items =
		    realloc(settings->items, room * sizeof(*setting));
		if (settings->items == NULL)
			abort();
	}
	setting = &settings->items[settings->count++];
	*setting = *added;
	setting->name = strbuf_copy(added->name);
	setting->text = text != NULL ? strbuf_copy(text) : NULL;
	return 0;
}

void
settings_close(struct settings *settings)
{
	for (size_t i = 0; i < settings->count; i++) {
		free(settings->items[i].name);
		free(settings->items[i].text);
	}
	free(settings->items);
	memset(settings, 0, sizeof(*settings));
}

void
settings_move(struct settings *settings, size_t from, size_t to)
{
	size_t count = settings->count - from;
	struct setting *moved;

	if (count == 0)
		return;
	moved = malloc(count * sizeof(*moved));
	if (moved == NULL)
		abort();
	memcpy(moved, settings->items + from, count * sizeof(*moved));
	memmove(settings->items + to + count, settings->items + to,
	    (from - to) * sizeof(*moved));
	memcpy(settings->items + to, moved, count * sizeof(*moved));
	free(moved);
}

/* What is set is the one of this name, or a list in which it would be. */
static bool
concerns(const struct setting *setting, const char *name)
{
	size_t length = strlen(setting->name);

	return strncmp(setting->name, name, length) == 0 &&
	    (name[length] == '\0' || name[length] == '/');
}

static bool
differ(const struct setting *one, const struct setting *two)
{
	if (one->text == NULL || two->text == NULL)
		return one->text != two->text || one->reason != two->reason;
	return strcmp(one->text, two->text) != 0;
}

const struct setting *
settings_find(const struct settings *settings, const char *name,
    enum settings_order order, const struct setting **other)
{
	const struct setting *found = NULL;

	*other = NULL;
	for (size_t i = 0; i < settings->count && *other == NULL; i++) {
		size_t at =
		    order == SETTINGS_FIRST ? i : settings->count - 1 - i;
		const struct setting *setting = &settings->items[at];

		if (!concerns(setting, name))
			continue;
		/* It was not in the list above it, or there was no list. */
		if (strcmp(setting->name, name) != 0 &&
		    setting->reason == NULL) {
			if (!setting->conditional)
				break;
			continue;
		}
		if (found == NULL)
			found = setting;
		else if (differ(found, setting))
			*other = setting;
		if (!setting->conditional)
			break;
	}
	return found;
}
