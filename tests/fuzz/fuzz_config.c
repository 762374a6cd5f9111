/* SPDX-License-Identifier: MIT */
/*
 * Configuration text.  What is refused is refused with the file's name and a
 * line that there is.  What is taken is within its bounds, and written down
 * again key by key it is taken again and means the same.
 */
#include "fuzz.h"

#include "base/budget.h"
#include "base/strbuf.h"
#include "store/config.h"

#include <ctype.h>

#define PATH "fuzz.conf"

static void
check_refusal(const struct fault *fault, const char *text)
{
	long line, lines = 1;
	char *end;

	check_fault(fault, FAULT_USAGE);
	CHECK(strncmp(fault->text, PATH ":", sizeof(PATH)) == 0);
	if (!isdigit((unsigned char)fault->text[sizeof(PATH)]))
		return;
	for (; *text != '\0'; text++)
		lines += *text == '\n';
	line = strtol(fault->text + sizeof(PATH), &end, 10);
	CHECK(line >= 1 && line <= lines && strncmp(end, ": ", 2) == 0);
}

static void
check_databases(const struct databases *databases)
{
	CHECK(databases->count <= PROFILE_DATABASES_MAX);
	for (int i = 0; i < databases->count; i++) {
		const struct database *database = &databases->items[i];

		CHECK((database->config == NULL) == (database->name != NULL));
		CHECK(database->host == NULL ||
		    (database->port > 0 && database->port <= 65535 &&
			database->socket == NULL));
		CHECK(database->name == NULL || database->label != NULL);
		for (int j = 0; database->label != NULL && j < i; j++)
			CHECK(databases->items[j].label == NULL ||
			    strcmp(database->label,
				databases->items[j].label) != 0);
		/* It becomes part of a path in the archive. */
		CHECK(database->label == NULL ||
		    (database->label[0] != '\0' && database->label[0] != '.' &&
			strchr(database->label, '/') == NULL));
	}
}

static void
check_profile(const struct profile *profile)
{
	CHECK(profile->number > 0 && profile->number <= 1000000);
	CHECK(profile->name[0] != '\0' && strlen(profile->name) <= 200);
	CHECK(profile->site[0] == '/' && strlen(profile->site) < PATH_MAX);
	CHECK(profile->extras.count <= PROFILE_EXTRAS_MAX);
	for (int i = 0; i < profile->extras.count; i++) {
		const struct extra *extra = &profile->extras.items[i];

		/* It becomes part of a path in the archive. */
		CHECK(extra->name[0] != '\0' && extra->name[0] != '.');
		CHECK(strchr(extra->name, '/') == NULL);
		CHECK(extra->path[0] == '/');
		for (int j = 0; j < i; j++)
			CHECK(strcmp(extra->name,
				  profile->extras.items[j].name) != 0);
	}
	CHECK(profile->excludes.count <= PROFILE_EXCLUDES_MAX);
	for (int i = 0; i < profile->excludes.count; i++)
		CHECK(profile->excludes.items[i][0] != '\0');
	check_databases(&profile->databases);
	CHECK(profile->excluded_tables.count <= PROFILE_EXCLUDES_MAX);
	CHECK(profile->excluded_data.count <= PROFILE_EXCLUDES_MAX);
	CHECK(profile->compression.level >= 0);
	CHECK(profile->compression.level <= 19);
	CHECK(profile->part_size == 0 || profile->part_size >= 65536);
	CHECK(profile->min_free >= 0 && profile->keep_last >= 0);
	CHECK(profile->again_after >= 0 && profile->once_per >= 0);
	CHECK(profile->on_complete == NULL || profile->on_complete[0] == '/');
}

static void
check_config(const struct config *config)
{
	CHECK(config->data[0] == '/');
	CHECK(config->step_max >= 50 * BUDGET_MILLISECOND);
	CHECK(config->step_max <= 3600 * BUDGET_SECOND);
	CHECK(config->step_min >= 0 && config->step_min <= config->step_max);
	CHECK(config->checkpoint >= 100 * BUDGET_MILLISECOND);
	CHECK(config->checkpoint_size >= 65536);
	CHECK(config->workers >= 0 && config->workers <= 16);
	CHECK(config->timezone[0] != '\0');
	CHECK(config->snapshot_max >= BUDGET_SECOND);
	CHECK(config->snapshot_tries >= 1 && config->snapshot_tries <= 100);
	CHECK(config->profile_count > 0);
	for (int i = 0; i < config->profile_count; i++) {
		const struct profile *profile = &config->profiles[i];

		check_profile(profile);
		CHECK(config_profile(config, profile->number) == profile);
	}
	for (int i = 0; i < config->trusted_proxies.count; i++)
		CHECK(config->trusted_proxies.items[i].bits >= 0 &&
		    config->trusted_proxies.items[i].bits <= 128);
}

static void
add_milliseconds(struct strbuf *out, const char *key, int64_t length)
{
	strbuf_addf(
	    out, "%s=%lldms\n", key, (long long)(length / BUDGET_MILLISECOND));
}

static const char *
word(bool yes)
{
	return yes ? "yes" : "no";
}

/* Percent-encoded, every byte that can be. */
static void
add_encoded(struct strbuf *out, const char *before, const char *text)
{
	if (text == NULL)
		return;
	strbuf_addstr(out, before);
	for (; *text != '\0'; text++)
		strbuf_addf(out, "%%%02x", (unsigned char)*text);
}

static void
write_database(struct strbuf *out, const struct database *database)
{
	static const char *const modes[] = { "preferred", "off", "required",
		"verify" };

	if (database->config != NULL) {
		strbuf_addf(out, "database=%s", database->config);
		if (database->label != NULL)
			strbuf_addf(out, "?as=%s", database->label);
		strbuf_addc(out, '\n');
		return;
	}
	add_encoded(out, "database=mysql://",
	    database->user != NULL ? database->user : "");
	add_encoded(out, ":", database->password);
	strbuf_addc(out, '@');
	if (database->host != NULL) {
		bool address = strchr(database->host, ':') != NULL;

		add_encoded(out, address ? "[" : "", database->host);
		strbuf_addf(out, "%s:%lld", address ? "]" : "",
		    (long long)database->port);
	}
	add_encoded(out, "/", database->name);
	strbuf_addf(
	    out, "?as=%s&ssl_mode=%s", database->label, modes[database->tls]);
	add_encoded(out, "&socket=", database->socket);
	add_encoded(out, "&ssl_ca=", database->tls_ca);
	add_encoded(out, "&ssl_cert=", database->tls_cert);
	add_encoded(out, "&ssl_key=", database->tls_key);
	strbuf_addc(out, '\n');
}

static void
write_databases(struct strbuf *out, const struct profile *profile)
{
	for (int i = 0; i < profile->databases.count; i++)
		write_database(out, &profile->databases.items[i]);
	if (profile->password_file != NULL)
		strbuf_addf(out, "password_file=%s\n", profile->password_file);
	for (int i = 0; i < profile->excluded_tables.count; i++)
		strbuf_addf(out, "exclude_table=%s\n",
		    profile->excluded_tables.items[i]);
	for (int i = 0; i < profile->excluded_data.count; i++)
		strbuf_addf(
		    out, "exclude_data=%s\n", profile->excluded_data.items[i]);
	strbuf_addf(out, "definers=%s\n",
	    profile->definers == DEFINERS_DROP ? "drop" : "keep");
}

/* Without blanks around '=': a value may begin with ';'. */
static void
write_profile(struct strbuf *out, const struct profile *profile)
{
	static const char *const codecs[] = { [CODEC_NONE] = "none",
		[CODEC_GZIP] = "gzip",
		[CODEC_XZ] = "xz",
		[CODEC_ZSTD] = "zstd" };
	const struct compression *compression = &profile->compression;

	strbuf_addf(out, "[profile %lld]\nname=%s\nsite=%s\n",
	    (long long)profile->number, profile->name, profile->site);
	for (int i = 0; i < profile->extras.count; i++)
		strbuf_addf(out, "extra=%s:%s\n", profile->extras.items[i].name,
		    profile->extras.items[i].path);
	for (int i = 0; i < profile->excludes.count; i++)
		strbuf_addf(out, "exclude=%s\n", profile->excludes.items[i]);
	write_databases(out, profile);
	strbuf_addf(out, "default_excludes=%s\none_file_system=%s\n",
	    word(profile->default_excludes), word(profile->one_file_system));
	strbuf_addf(out, "compress=%s", codecs[compression->codec]);
	if (compression->codec != CODEC_NONE)
		strbuf_addf(out, ":%d", compression->level);
	strbuf_addf(out, "\npart_size=%lld\nmin_free=%lld\nkeep_last=%lld\n",
	    (long long)profile->part_size, (long long)profile->min_free,
	    (long long)profile->keep_last);
	add_milliseconds(out, "again_after", profile->again_after);
	add_milliseconds(out, "once_per", profile->once_per);
	if (profile->on_complete != NULL)
		strbuf_addf(out, "on_complete=%s\n", profile->on_complete);
}

static void
write_block(struct strbuf *out, const struct netblock *block)
{
	strbuf_addstr(out, "trusted_proxies=");
	for (size_t i = 0; i < sizeof(block->base.bytes); i += 2)
		strbuf_addf(out, "%s%02x%02x", i > 0 ? ":" : "",
		    block->base.bytes[i], block->base.bytes[i + 1]);
	strbuf_addf(out, "/%d\n", block->bits);
}

static void
write_config(struct strbuf *out, const struct config *config)
{
	strbuf_addf(out, "[server]\ndata=%s\nenabled=%s\ndata_in_site=%s\n",
	    config->data, word(config->enabled), word(config->data_in_site));
	strbuf_addf(out, "timezone=%s\n", config->timezone);
	strbuf_addf(out, "companion=%s\nsnapshot_tries=%lld\n",
	    word(config->companion), (long long)config->snapshot_tries);
	add_milliseconds(out, "snapshot_max", config->snapshot_max);
	if (config->secret_file != NULL)
		strbuf_addf(out, "secret_file=%s\n", config->secret_file);
	if (config->secret.known) {
		strbuf_addstr(out, "secret_hash=sha256:");
		strbuf_add_hex(
		    out, config->secret.hash, sizeof(config->secret.hash));
		strbuf_addc(out, '\n');
	}
	for (int i = 0; i < config->trusted_proxies.count; i++)
		write_block(out, &config->trusted_proxies.items[i]);
	strbuf_addstr(out, "[step]\n");
	add_milliseconds(out, "max", config->step_max);
	add_milliseconds(out, "min", config->step_min);
	add_milliseconds(out, "checkpoint", config->checkpoint);
	strbuf_addf(out, "checkpoint_size=%lld\nworkers=%lld\n",
	    (long long)config->checkpoint_size, (long long)config->workers);
	for (int i = 0; i < config->profile_count; i++)
		write_profile(out, &config->profiles[i]);
}

static void
check_same_meaning(const struct config *config)
{
	struct strbuf first = STRBUF_EMPTY, second = STRBUF_EMPTY;
	struct config again = { 0 };
	struct fault fault;

	write_config(&first, config);
	/* A long URL is longer with its bytes encoded. */
	if (config_parse(&again, PATH, strbuf_text(&first), &fault) != 0) {
		CHECK(strstr(fault.text, "the URL is longer than") != NULL);
		config_close(&again);
		strbuf_close(&first);
		return;
	}
	write_config(&second, &again);
	CHECK(strcmp(strbuf_text(&first), strbuf_text(&second)) == 0);
	for (int i = 0; i < config->profile_count; i++) {
		uint8_t one[TOKEN_HASH_SIZE], two[TOKEN_HASH_SIZE];

		profile_fingerprint(&config->profiles[i], one);
		profile_fingerprint(&again.profiles[i], two);
		CHECK(token_equal(one, two));
	}
	config_close(&again);
	strbuf_close(&first);
	strbuf_close(&second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config config = { 0 };
	struct fault fault;
	char *text = fuzz_text(data, size);

	if (config_parse(&config, PATH, text, &fault) != 0) {
		check_refusal(&fault, text);
	} else {
		check_config(&config);
		check_same_meaning(&config);
	}
	config_close(&config);
	free(text);
	return 0;
}
