/* SPDX-License-Identifier: MIT */
#include "store/profile.h"

#include "base/strbuf.h"

#include <stdlib.h>
#include <string.h>

static void
free_texts(struct texts *texts)
{
	for (int i = 0; i < texts->count; i++)
		free(texts->items[i]);
	free(texts->items);
}

void
profile_close(struct profile *profile)
{
	for (int i = 0; i < profile->extras.count; i++) {
		free(profile->extras.items[i].name);
		free(profile->extras.items[i].path);
	}
	free(profile->extras.items);
	for (int i = 0; i < profile->databases.count; i++)
		database_close(&profile->databases.items[i]);
	free(profile->databases.items);
	free_texts(&profile->excludes);
	free_texts(&profile->excluded_tables);
	free_texts(&profile->excluded_data);
	free(profile->password_file);
	free(profile->name);
	free(profile->site);
	free(profile->on_complete);
	memset(profile, 0, sizeof(*profile));
}

const char *
profile_suffix(const struct profile *profile)
{
	switch (profile->compression.codec) {
	case CODEC_NONE:
		return ".tar";
	case CODEC_GZIP:
		return ".tar.gz";
	case CODEC_XZ:
		return ".tar.xz";
	case CODEC_ZSTD:
		return ".tar.zst";
	}
	abort();
}

/* With the NUL: so that "a" "bc" and "ab" "c" differ. */
static void
add_text(struct strbuf *all, const char *text)
{
	strbuf_add(all, text, strlen(text) + 1);
}

static void
add_texts(struct strbuf *all, const char *what, const struct texts *texts)
{
	strbuf_addf(all, "%d %s ", texts->count, what);
	for (int i = 0; i < texts->count; i++)
		add_text(all, texts->items[i]);
}

static void
add_databases(struct strbuf *all, const struct databases *databases)
{
	strbuf_addf(all, "%d databases ", databases->count);
	for (int i = 0; i < databases->count; i++) {
		const struct database *database = &databases->items[i];

		database_show(database, all);
		strbuf_addc(all, '\0');
		add_text(all, database->label != NULL ? database->label : "");
	}
}

void
profile_fingerprint(const struct profile *profile, uint8_t out[TOKEN_HASH_SIZE])
{
	struct strbuf all = STRBUF_EMPTY;

	add_text(&all, profile->site);
	strbuf_addf(&all, "%d extras ", profile->extras.count);
	for (int i = 0; i < profile->extras.count; i++) {
		add_text(&all, profile->extras.items[i].name);
		add_text(&all, profile->extras.items[i].path);
	}
	add_texts(&all, "excludes", &profile->excludes);
	add_databases(&all, &profile->databases);
	add_texts(&all, "tables", &profile->excluded_tables);
	add_texts(&all, "data", &profile->excluded_data);
	strbuf_addf(&all, "%d %d %d %d %d %lld", profile->definers,
	    profile->default_excludes, profile->one_file_system,
	    (int)profile->compression.codec, profile->compression.level,
	    (long long)profile->part_size);
	token_hash(all.bytes, all.length, out);
	strbuf_close(&all);
}
