/* SPDX-License-Identifier: MIT */
#include "store/values.h"

#include "base/budget.h"
#include "base/fault.h"
#include "base/stamp.h"
#include "base/strbuf.h"
#include "store/config.h"
#include "store/profile.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Label, full stop and 64 characters, each of which may be escaped. */
#define TABLES_MAX 700

struct unit {
	const char *name;
	int64_t worth;
};

/* One more element at the end of a list, zeroed. */
static void *
grow(void *items, int count, size_t size)
{
	char *grown = realloc(items, ((size_t)count + 1) * size);

	if (grown == NULL)
		abort();
	memset(grown + (size_t)count * size, 0, size);
	return grown;
}

int
values_flag(void *place, const char *text, struct fault *fault)
{
	bool yes = strcmp(text, "yes") == 0;

	if (!yes && strcmp(text, "no") != 0)
		return fault_set(fault, FAULT_USAGE, "write yes or no");
	*(bool *)place = yes;
	return 0;
}

/* Digits, then one of the units; 0 or -1. */
static int
parse_amount(const char *text, const struct unit *units, int64_t *amount)
{
	char *end;
	long long number;

	if (text[0] < '0' || text[0] > '9')
		return -1;
	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno != 0)
		return -1;
	if (number == 0 && *end == '\0') {
		*amount = 0;
		return 0;
	}
	for (; units->name != NULL; units++) {
		if (strcmp(end, units->name) == 0)
			return __builtin_mul_overflow(
				   number, units->worth, amount)
			    ? -1
			    : 0;
	}
	return -1;
}

int
values_duration(void *place, const char *text, struct fault *fault)
{
	static const struct unit units[] = {
		{ "ms", BUDGET_MILLISECOND },
		{ "s", BUDGET_SECOND },
		{ "m", 60 * BUDGET_SECOND },
		{ "h", 3600 * BUDGET_SECOND },
		{ "d", 86400 * BUDGET_SECOND },
		{ NULL, 0 },
	};

	if (parse_amount(text, units, place) != 0)
		return fault_set(fault, FAULT_USAGE,
		    "write a number and ms, s, m, h or d, such as 10s");
	return 0;
}

int
values_size(void *place, const char *text, struct fault *fault)
{
	static const struct unit units[] = {
		{ "", 1 },
		{ "K", INT64_C(1) << 10 },
		{ "M", INT64_C(1) << 20 },
		{ "G", INT64_C(1) << 30 },
		{ "T", INT64_C(1) << 40 },
		{ NULL, 0 },
	};

	if (parse_amount(text, units, place) != 0)
		return fault_set(fault, FAULT_USAGE,
		    "write a number of bytes, or one with K, M, G or T, "
		    "such as 64M");
	return 0;
}

int
values_count(void *place, const char *text, struct fault *fault)
{
	static const struct unit units[] = { { "", 1 }, { NULL, 0 } };
	int64_t count;

	if (parse_amount(text, units, &count) != 0 || count > 1000000)
		return fault_set(fault, FAULT_USAGE,
		    "write a whole number from 0 to 1000000");
	*(int64_t *)place = count;
	return 0;
}

static int
set_string(void *place, const char *text)
{
	free(*(char **)place);
	*(char **)place = strbuf_copy(text);
	return 0;
}

int
values_text(void *place, const char *text, struct fault *fault)
{
	if (text[0] == '\0' || strlen(text) > 200)
		return fault_set(
		    fault, FAULT_USAGE, "write a text of 1 to 200 bytes");
	return set_string(place, text);
}

int
values_zone(void *place, const char *text, struct fault *fault)
{
	if (!stamp_is_zone(text))
		return fault_set(fault, FAULT_USAGE,
		    "the system knows no such time zone; write a name such as "
		    "Europe/Berlin");
	return set_string(place, text);
}

int
values_path(void *place, const char *text, struct fault *fault)
{
	if (text[0] != '/' || strlen(text) >= PATH_MAX)
		return fault_set(fault, FAULT_USAGE,
		    "write an absolute path, beginning with /");
	return set_string(place, text);
}

static int
add_pattern(struct texts *texts, const char *text, struct fault *fault)
{
	if (texts->count >= PROFILE_EXCLUDES_MAX)
		return fault_set(fault, FAULT_USAGE, "at most %d patterns",
		    PROFILE_EXCLUDES_MAX);
	texts->items = grow(texts->items, texts->count, sizeof(char *));
	texts->items[texts->count++] = strbuf_copy(text);
	return 0;
}

int
values_pattern(void *place, const char *text, struct fault *fault)
{
	if (text[0] == '\0' || strcmp(text, "!") == 0 ||
	    strcmp(text, "/") == 0 || strlen(text) >= PATH_MAX)
		return fault_set(fault, FAULT_USAGE,
		    "write a pattern, such as *.bak or var/cache/");
	return add_pattern(place, text, fault);
}

int
values_tables(void *place, const char *text, struct fault *fault)
{
	if (text[0] == '\0' || strlen(text) > TABLES_MAX)
		return fault_set(fault, FAULT_USAGE,
		    "write a pattern of names of tables, such as *_cache, or "
		    "of those of one database, such as shop.*_cache");
	return add_pattern(place, text, fault);
}

int
values_definers(void *place, const char *text, struct fault *fault)
{
	bool drop = strcmp(text, "drop") == 0;

	if (!drop && strcmp(text, "keep") != 0)
		return fault_set(fault, FAULT_USAGE, "write keep or drop");
	*(int *)place = drop ? DEFINERS_DROP : DEFINERS_KEEP;
	return 0;
}

static int
check_label(const struct databases *databases, const struct database *added,
    struct fault *fault)
{
	/* One that the site's configuration names is known later. */
	for (int i = 0; added->label != NULL && i < databases->count; i++) {
		const char *label = databases->items[i].label;

		if (label != NULL && strcmp(label, added->label) == 0)
			return fault_set(fault, FAULT_USAGE,
			    "there is another database called %s; add ?as=NAME "
			    "to one of them",
			    label);
	}
	if (databases->count >= PROFILE_DATABASES_MAX)
		return fault_set(fault, FAULT_USAGE, "at most %d databases",
		    PROFILE_DATABASES_MAX);
	return 0;
}

int
values_database(void *place, const char *text, struct fault *fault)
{
	struct databases *databases = place;
	struct database added;

	if (database_parse(&added, text, fault) != 0 ||
	    check_label(databases, &added, fault) != 0) {
		database_close(&added);
		return -1;
	}
	databases->items =
	    grow(databases->items, databases->count, sizeof(added));
	databases->items[databases->count++] = added;
	return 0;
}

/* A name that can be one folder in the archive. */
static bool
is_extra_name(const char *text, size_t length)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";

	return length > 0 && length <= 100 && text[0] != '.' &&
	    strspn(text, allowed) == length;
}

int
values_extra(void *place, const char *text, struct fault *fault)
{
	struct extras *extras = place;
	const char *colon = strchr(text, ':');
	size_t length = colon != NULL ? (size_t)(colon - text) : 0;
	struct extra *extra;

	if (!is_extra_name(text, length) || colon[1] != '/' ||
	    strlen(colon) >= PATH_MAX)
		return fault_set(fault, FAULT_USAGE,
		    "write NAME:/PATH, such as media:/srv/media, NAME being "
		    "letters, digits, '.', '_' or '-'");
	for (int i = 0; i < extras->count; i++)
		if (strncmp(extras->items[i].name, text, length) == 0 &&
		    extras->items[i].name[length] == '\0')
			return fault_set(fault, FAULT_USAGE,
			    "give each extra folder a name of its own");
	if (extras->count >= PROFILE_EXTRAS_MAX)
		return fault_set(fault, FAULT_USAGE, "at most %d extra folders",
		    PROFILE_EXTRAS_MAX);
	extras->items = grow(extras->items, extras->count, sizeof(*extra));
	extra = &extras->items[extras->count++];
	extra->name = strbuf_copy_part(text, length);
	extra->path = strbuf_copy(colon + 1);
	return 0;
}

int
values_compression(void *place, const char *text, struct fault *fault)
{
	static const struct {
		const char *name;
		enum codec codec;
		int lowest, highest;
	} codecs[] = {
		{ "zstd:", CODEC_ZSTD, 1, 19 },
		{ "gzip:", CODEC_GZIP, 1, 9 },
		{ "xz:", CODEC_XZ, 0, 9 },
	};
	struct compression *compression = place;

	if (strcmp(text, "none") == 0) {
		*compression = (struct compression){ CODEC_NONE, 0 };
		return 0;
	}
	for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
		size_t length = strlen(codecs[i].name);
		char *end;
		long level;

		if (strncmp(text, codecs[i].name, length) != 0 ||
		    text[length] < '0' || text[length] > '9')
			continue;
		level = strtol(text + length, &end, 10);
		if (*end != '\0' || level < codecs[i].lowest ||
		    level > codecs[i].highest)
			break;
		*compression =
		    (struct compression){ codecs[i].codec, (int)level };
		return 0;
	}
	return fault_set(fault, FAULT_USAGE,
	    "write zstd:1 to zstd:19, gzip:1 to gzip:9, xz:0 to xz:9, or none");
}

int
values_netblock(void *place, const char *text, struct fault *fault)
{
	struct netblocks *blocks = place;
	struct netblock block;

	if (text[0] == '\0')
		return 0;
	if (netblock_parse(text, &block) != 0)
		return fault_set(fault, FAULT_USAGE,
		    "write an address or a block of them, such as 10.0.0.0/8 "
		    "or 2001:db8::/32, one to a line");
	blocks->items = grow(blocks->items, blocks->count, sizeof(block));
	blocks->items[blocks->count++] = block;
	return 0;
}

int
values_secret(void *place, const char *text, struct fault *fault)
{
	struct secret *secret = place;
	const char *weakness = token_secret_weakness(text);

	if (weakness != NULL)
		return fault_set(fault, FAULT_USAGE,
		    "%s; 'stepvault secret new' makes one", weakness);
	token_hash(text, strlen(text), secret->hash);
	secret->known = true;
	return 0;
}

int
values_secret_hash(void *place, const char *text, struct fault *fault)
{
	struct secret *secret = place;

	if (strncmp(text, "sha256:", 7) != 0 ||
	    token_parse_hex(text + 7, secret->hash, sizeof(secret->hash)) != 0)
		return fault_set(fault, FAULT_USAGE,
		    "write sha256: and 64 hexadecimal digits, as 'stepvault "
		    "secret new' prints them");
	secret->known = true;
	return 0;
}
