/* SPDX-License-Identifier: MIT */
/*
 * What a person may write into stepvault.conf, and that every mistake is
 * refused with file, line, what is wrong and what would be right.
 */
#include "check.h"
#include "tool.h"

#include "base/budget.h"
#include "store/config.h"

#include <sys/stat.h>

#define S BUDGET_SECOND

#define SECRET "abcdefghijklmnopqrstuvwxyz"
#define HASH   "sha256:" DIGITS DIGITS DIGITS DIGITS
#define DIGITS "0123456789abcdef"

/* Together they are the least configuration, of four lines. */
#define SERVER  "[server]\ndata = /d\n"
#define PROFILE "[profile 1]\nsite = /s\n"

static int
parse(struct config *config, const char *text, struct fault *fault)
{
	memset(config, 0, sizeof(*config));
	fault_clear(fault);
	return config_parse(config, "/etc/x.conf", text, fault);
}

static void
assert_refused(const char *text, int line, const char *wrong, const char *right)
{
	struct config config;
	struct fault fault;
	char place[40];
	size_t length;

	if (parse(&config, text, &fault) != -1)
		fail_msg("this is taken:\n%s", text);
	config_close(&config);
	assert_int_equal(fault.code, FAULT_USAGE);
	length = (size_t)snprintf(place, sizeof(place),
	    line > 0 ? "/etc/x.conf:%d: " : "/etc/x.conf: ", line);
	if (strncmp(fault.text, place, length) != 0 ||
	    strstr(fault.text, wrong) == NULL ||
	    strstr(fault.text, right) == NULL)
		fail_msg("not '%s… %s … %s' is said of this but '%s':\n%s",
		    place, wrong, right, fault.text, text);
}

static void
parse_well(struct config *config, const char *text)
{
	struct fault fault;

	if (parse(config, text, &fault) != 0)
		fail_msg("%s: in\n%s", fault.text, text);
}

static void
has_the_defaults_of_the_reference(void **state)
{
	const struct profile *profile;
	struct config config;

	(void)state;
	parse_well(&config, SERVER PROFILE);
	assert_string_equal(config.path, "/etc/x.conf");
	assert_string_equal(config.data, "/d");
	assert_true(config.enabled);
	assert_false(config.data_in_site);
	assert_false(config.secret.known);
	assert_null(config.secret_file);
	assert_string_equal(config.timezone, "UTC");
	assert_int_equal(config.trusted_proxies.count, 0);
	assert_true(config.companion);
	assert_int_equal(config.snapshot_max, 900 * S);
	assert_int_equal(config.snapshot_tries, 3);
	assert_int_equal(config.step_max, 10 * S);
	assert_int_equal(config.step_min, 0);
	assert_int_equal(config.checkpoint, 2 * S);
	assert_int_equal(config.checkpoint_size, 64 << 20);
	assert_int_equal(config.workers, 2);
	assert_int_equal(config.profile_count, 1);
	assert_null(config_profile(&config, 2));
	profile = config_profile(&config, 1);
	assert_int_equal(profile->number, 1);
	assert_string_equal(profile->name, "Unnamed site");
	assert_string_equal(profile->site, "/s");
	assert_int_equal(profile->extras.count + profile->excludes.count, 0);
	assert_true(profile->default_excludes);
	assert_int_equal(profile->databases.count, 0);
	assert_null(profile->password_file);
	assert_int_equal(profile->excluded_tables.count, 0);
	assert_int_equal(profile->excluded_data.count, 0);
	assert_int_equal(profile->definers, DEFINERS_KEEP);
	assert_int_equal(profile->compression.codec, CODEC_ZSTD);
	assert_int_equal(profile->compression.level, 3);
	assert_int_equal(profile->part_size, 0);
	assert_false(profile->one_file_system);
	assert_int_equal(profile->min_free, 1 << 30);
	assert_int_equal(profile->keep_last, 7);
	assert_int_equal(profile->again_after, 600 * S);
	assert_int_equal(profile->once_per, 0);
	assert_null(profile->on_complete);
	config_close(&config);
	config_close(&config);
}

static const char everything[] =
    "\xef\xbb\xbf# a comment\r\n"
    "\r\n"
    "  [server]  ; another\r\n"
    "data=/data dir\r\n"
    "secret = " SECRET "\n"
    "enabled = no\n"
    "timezone = Europe/Berlin\n"
    "trusted_proxies = 10.0.0.0/8\n"
    "trusted_proxies = ::1\n"
    "trusted_proxies =\n"
    "data_in_site = yes\n"
    "companion = no\nsnapshot_max = 1s\nsnapshot_tries = 100\n"
    "[step] # and one more\n"
    "max = 5m\nmin = 500ms\ncheckpoint = 1s\n"
    "checkpoint_size = 1M\nworkers = 16\n"
    "[profile 7]\n"
    "name = S\xc3\xbc\xc3\x9f; really\n"
    "site = /var/www/\xff\n"
    "extra = media:/srv/media\n"
    "\textra\t=\tb-2.x_:/a:b ; c\n"
    "exclude = *.log\nexclude = !a = b\nexclude = #x\n"
    "database = mysql://u:p%20;%3D@h/shop?as=a-b\n"
    "database = wp-config.php ; of the site\n"
    "password_file = /p\n"
    "exclude_table = *_cache\nexclude_table = shop.log_?\n"
    "exclude_data = a-b.x\ndefiners = drop\n"
    "default_excludes = no\ncompress = xz:0\npart_size = 2G\n"
    "one_file_system = yes\nmin_free = 0\nkeep_last = 1000000\n"
    "again_after = 0\nonce_per = 20h\non_complete = /bin/true\n"
    "[profile 1000000]\nsite = /\ncompress = none";

static void
takes_every_key(void **state)
{
	const struct profile *profile;
	struct config config;

	(void)state;
	parse_well(&config, everything);
	assert_string_equal(config.data, "/data dir");
	assert_true(config.secret.known);
	assert_true(
	    token_matches_secret(config.secret.hash, SECRET, strlen(SECRET)));
	assert_false(config.enabled);
	assert_string_equal(config.timezone, "Europe/Berlin");
	assert_int_equal(config.trusted_proxies.count, 2);
	assert_true(config.data_in_site);
	assert_false(config.companion);
	assert_int_equal(config.snapshot_max, S);
	assert_int_equal(config.snapshot_tries, 100);
	assert_int_equal(config.step_max, 300 * S);
	assert_int_equal(config.step_min, S / 2);
	assert_int_equal(config.checkpoint, S);
	assert_int_equal(config.checkpoint_size, 1 << 20);
	assert_int_equal(config.workers, 16);
	assert_int_equal(config.profile_count, 2);
	profile = config_profile(&config, 7);
	assert_string_equal(profile->name, "S\xc3\xbc\xc3\x9f; really");
	assert_string_equal(profile->site, "/var/www/\xff");
	assert_int_equal(profile->extras.count, 2);
	assert_string_equal(profile->extras.items[0].name, "media");
	assert_string_equal(profile->extras.items[0].path, "/srv/media");
	assert_string_equal(profile->extras.items[1].name, "b-2.x_");
	assert_string_equal(profile->extras.items[1].path, "/a:b");
	assert_int_equal(profile->excludes.count, 3);
	assert_string_equal(profile->excludes.items[1], "!a = b");
	assert_string_equal(profile->excludes.items[2], "#x");
	assert_false(profile->default_excludes);
	assert_int_equal(profile->databases.count, 2);
	assert_string_equal(profile->databases.items[0].label, "a-b");
	assert_string_equal(profile->databases.items[0].password, "p ;=");
	assert_string_equal(
	    profile->databases.items[1].config, "wp-config.php");
	assert_string_equal(profile->password_file, "/p");
	assert_int_equal(profile->excluded_tables.count, 2);
	assert_string_equal(profile->excluded_tables.items[1], "shop.log_?");
	assert_int_equal(profile->excluded_data.count, 1);
	assert_string_equal(profile->excluded_data.items[0], "a-b.x");
	assert_int_equal(profile->definers, DEFINERS_DROP);
	assert_int_equal(profile->compression.codec, CODEC_XZ);
	assert_int_equal(profile->compression.level, 0);
	assert_int_equal(profile->part_size, INT64_C(2) << 30);
	assert_true(profile->one_file_system);
	assert_int_equal(profile->min_free, 0);
	assert_int_equal(profile->keep_last, 1000000);
	assert_int_equal(profile->again_after, 0);
	assert_int_equal(profile->once_per, 20 * 3600 * S);
	assert_string_equal(profile->on_complete, "/bin/true");
	profile = config_profile(&config, 1000000);
	assert_int_equal(profile->compression.codec, CODEC_NONE);
	config_close(&config);
}

/* -- mistakes ---------------------------------------------------------------
 */

struct key {
	char section; /* s, t, p */
	const char *name;
	const char *good; /* written twice it is refused */
	bool repeatable;
	const char *right; /* what is said of each of these */
	const char *bad[9];
};

#define IS_TIME "write a number and ms, s, m, h or d, such as 10s"
#define IS_SIZE "write a number of bytes, or one with K, M, G or T"
#define IS_PATH "write an absolute path, beginning with /"
#define IS_FLAG "write yes or no"
#define BAD_TIME \
	"", "10", "10 s", "s", "-1s", "1.5s", "10S", "9223372036854775807s"
#define BAD_SIZE \
	"", "M", "-1", "1k", "1.5G", "1MB", "8388608T", "99999999999999999999"

static const struct key all_keys[] = {
	{ 's', "data", "/d", false, IS_PATH, { "", "d", "./d", "~/d" } },
	{ 's', "secret_hash", HASH, false,
	    "write sha256: and 64 hexadecimal digits",
	    { "", "0", "sha256:", DIGITS DIGITS DIGITS DIGITS,
		"sha256:" DIGITS DIGITS DIGITS "0123456789abcdeg", HASH "0",
		"sha1:" DIGITS DIGITS DIGITS DIGITS } },
	{ 's', "secret", SECRET, false, "'stepvault secret new' makes one",
	    { "", "x", "abcdefghijklmnopqrstu", "aaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"123456789123456789123456789" } },
	{ 's', "secret_file", "/f", false, IS_PATH, { "", "f" } },
	{ 's', "enabled", "yes", false, IS_FLAG,
	    { "", "YES", "true", "1", "on", "yes yes" } },
	{ 's', "timezone", "UTC", false, "write a name such as Europe/Berlin",
	    { "", "Berlin", "+1", "../../etc/passwd", "/etc/localtime",
		"Europe" } },
	{ 's', "trusted_proxies", "::1", true,
	    "write an address or a block of them, such as 10.0.0.0/8",
	    { "x", "10.0.0.0/33", "10.0.0", "::1/129", "10.0.0.1, 10.0.0.2",
		"localhost" } },
	{ 's', "data_in_site", "no", false, IS_FLAG, { "", "No" } },
	{ 's', "companion", "no", false, IS_FLAG, { "", "never" } },
	{ 's', "snapshot_max", "1m", false, IS_TIME, { BAD_TIME } },
	{ 's', "snapshot_max", "1m", false,
	    "'snapshot_max' must be at least 1s", { "0", "999ms" } },
	{ 's', "snapshot_tries", "1", false,
	    "write a whole number from 0 to 1000000", { "", "-1", "one" } },
	{ 's', "snapshot_tries", "1", false,
	    "'snapshot_tries' must be 1 to 100", { "0", "101" } },
	{ 't', "max", "1s", false, IS_TIME, { BAD_TIME } },
	{ 't', "max", "1s", false, "'max' must be 50ms to 1h",
	    { "49ms", "0", "2h", "3600001ms" } },
	{ 't', "min", "1s", false, IS_TIME, { BAD_TIME } },
	{ 't', "min", "1s", false, "'min' must be no more than 'max'",
	    { "11s", "10001ms" } },
	{ 't', "checkpoint", "1s", false, IS_TIME, { BAD_TIME } },
	{ 't', "checkpoint", "1s", false, "'checkpoint' must be at least 100ms",
	    { "0", "99ms" } },
	{ 't', "checkpoint_size", "1M", false, IS_SIZE, { BAD_SIZE } },
	{ 't', "checkpoint_size", "1M", false,
	    "'checkpoint_size' must be at least 64K", { "0", "65535", "63K" } },
	{ 't', "workers", "1", false, "write a whole number from 0 to 1000000",
	    { "", "-1", "two", "1000001", "0x1", "1K" } },
	{ 't', "workers", "1", false, "'workers' must be 0 to 16",
	    { "17", "1000000" } },
	{ 'p', "name", "x", false, "write a text of 1 to 200 bytes", { "" } },
	{ 'p', "site", "/s", false, IS_PATH, { "", "www", "http://x/" } },
	{ 'p', "extra", "a:/b", true, "write NAME:/PATH, such as media:/srv",
	    { "", "/b", "a", "a:b", ":/b", "a/b:/c", ".a:/b", "a b:/c",
		"\xc3\xa4:/b" } },
	{ 'p', "exclude", "x", true, "write a pattern, such as *.bak",
	    { "", "/", "!" } },
	{ 'p', "default_excludes", "no", false, IS_FLAG, { "", "none" } },
	{ 'p', "database", "x.php", true, "write mysql://USER:PASSWORD@HOST",
	    { "", "http://x", "u:p@h/n", "?as=x" } },
	{ 'p', "password_file", "/f", false, IS_PATH, { "", "f" } },
	{ 'p', "exclude_table", "x", true, "write a pattern of names of tables",
	    { "" } },
	{ 'p', "exclude_data", "x", true, "write a pattern of names of tables",
	    { "" } },
	{ 'p', "definers", "drop", false, "write keep or drop",
	    { "", "yes", "kept" } },
	{ 'p', "compress", "none", false,
	    "write zstd:1 to zstd:19, gzip:1 to gzip:9, xz:0 to xz:9, or none",
	    { "", "zstd", "zstd:0", "zstd:20", "gzip:10", "xz:-1", "zstd:3x",
		"lz4:1", "zstd:4294967299" } },
	{ 'p', "part_size", "1M", false, IS_SIZE, { BAD_SIZE } },
	{ 'p', "part_size", "1M", false,
	    "'part_size' must be 0 or at least 64K", { "1", "65535" } },
	{ 'p', "one_file_system", "no", false, IS_FLAG, { "", "0" } },
	{ 'p', "min_free", "1G", false, IS_SIZE, { BAD_SIZE } },
	{ 'p', "keep_last", "1", false,
	    "write a whole number from 0 to 1000000",
	    { "", "all", "-1", "1000001" } },
	{ 'p', "again_after", "1s", false, IS_TIME, { BAD_TIME } },
	{ 'p', "once_per", "1s", false, IS_TIME, { BAD_TIME } },
	{ 'p', "on_complete", "/x", false, IS_PATH, { "", "x" } },
};

/* A whole configuration with this at the end of one section. */
static char *
text_with(char section, const char *lines, int *line)
{
	bool has_data = strncmp(lines, "data =", 6) == 0;
	bool has_site = strncmp(lines, "site =", 6) == 0;
	char *text;

	*line = section == 's' ? 3 - has_data : section == 't' ? 5 : 7;
	*line -= section == 'p' && has_site;
	if (asprintf(&text, "[server]\n%s%s[step]\n%s%s[profile 1]\n%s%s%s",
		has_data ? "" : "data = /d\n", section == 's' ? lines : "",
		section == 't' ? lines : "", section == 't' ? "" : "# no key\n",
		has_site ? "" : "site = /s\n", section == 'p' ? lines : "",
		section == 'p' ? "" : "# no key\n") < 0)
		fail_msg("no memory");
	if (section == 't')
		*line = 4;
	return text;
}

static void
refuses_every_wrong_value(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(all_keys); i++) {
		const struct key *key = &all_keys[i];

		for (int k = 0; k < 9 && key->bad[k] != NULL; k++) {
			char lines[300], wrong[300], *text;
			int line;

			snprintf(lines, sizeof(lines), "%s = %s\n", key->name,
			    key->bad[k]);
			/* Nobody's secret or password is repeated. */
			if (strncmp(key->right, "'stepvault", 10) != 0 &&
			    key->right[0] == '\'')
				snprintf(
				    wrong, sizeof(wrong), "%s", key->right);
			else
				snprintf(wrong, sizeof(wrong),
				    "'%s = %s' is wrong: ", key->name,
				    strncmp(key->name, "secret", 6) == 0 ||
					    strcmp(key->name, "database") == 0
					? "\xe2\x80\xa6"
					: key->bad[k]);
			text = text_with(key->section, lines, &line);
			assert_refused(text, line, wrong, key->right);
			free(text);
		}
	}
}

static void
refuses_every_duplicate(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(all_keys); i++) {
		const struct key *key = &all_keys[i];
		char lines[300], wrong[100], *text;
		struct config config;
		int line;

		snprintf(
		    lines, sizeof(lines), "%s = %s\n", key->name, key->good);
		text = text_with(key->section, lines, &line);
		parse_well(&config, text);
		config_close(&config);
		free(text);
		if (key->repeatable)
			continue;
		snprintf(lines, sizeof(lines), "%s = %s\n# x\n%s=%s\n",
		    key->name, key->good, key->name, key->good);
		snprintf(wrong, sizeof(wrong), "'%s' is there twice in [%s]",
		    key->name,
		    key->section == 's'       ? "server"
			: key->section == 't' ? "step"
					      : "profile 1");
		text = text_with(key->section, lines, &line);
		assert_refused(text, line + 2, wrong, "keep one");
		free(text);
	}
}

/* The lists above leave out no key of the reference, and know no other. */
static void
knows_all_keys_of_the_reference(void **state)
{
	struct strbuf reference = STRBUF_EMPTY;
	char section = '?', *line;
	size_t found = 0, listed = 0;

	(void)state;
	config_reference(&reference);
	for (line = strtok(reference.bytes, "\n"); line != NULL;
	     line = strtok(NULL, "\n")) {
		size_t at = 0;

		if (strncmp(line, "**[", 3) == 0)
			section = line[4] == 't' ? 't' : line[3];
		if (strncmp(line, "| `", 3) != 0)
			continue;
		line[3 + strcspn(line + 3, "`")] = '\0';
		while (at < COUNT_OF(all_keys) &&
		    (all_keys[at].section != section ||
			strcmp(all_keys[at].name, line + 3) != 0))
			at++;
		if (at == COUNT_OF(all_keys))
			fail_msg("nothing is tested of '%s'", line + 3);
		found++;
	}
	for (size_t i = 0; i < COUNT_OF(all_keys); i++)
		listed += i == 0 ||
		    strcmp(all_keys[i].name, all_keys[i - 1].name) != 0;
	assert_int_equal(found, listed);
	strbuf_close(&reference);
}

static void
refuses_unknown_keys(void **state)
{
	(void)state;
	assert_refused(SERVER "max = 1s\n" PROFILE, 3,
	    "there is no key 'max' in [server]",
	    "there are data, secret_hash, secret, secret_file, enabled, "
	    "timezone, trusted_proxies, data_in_site, companion, "
	    "snapshot_max, snapshot_tries");
	assert_refused(SERVER "[step]\ndata = /x\n" PROFILE, 4,
	    "there is no key 'data' in [step]",
	    "there are max, min, checkpoint, checkpoint_size, workers");
	assert_refused(SERVER PROFILE "\n\nexcludes = x\n", 7,
	    "there is no key 'excludes' in [profile N]",
	    "there are name, site, extra, exclude, default_excludes, "
	    "database, password_file, exclude_table, exclude_data, definers, "
	    "compress, part_size, one_file_system, min_free, keep_last, "
	    "again_after, once_per, on_complete");
	assert_refused(SERVER PROFILE "Name = x\n", 5, "'Name'", "there are");
	assert_refused(SERVER PROFILE "= x\n", 5, "''", "there are");
	assert_refused("data = /d\n" SERVER PROFILE, 1, "'data'",
	    "stands before the first section");
}

static void
refuses_wrong_sections(void **state)
{
	static const char *const wrong[] = { "", "Server", "steps", "profile",
		"profile ", "profile 0", "profile 01", "profile -1",
		"profile +1", "profile 1 ", "profile  1", "profile 1x",
		"profile 1000001", "profile 99999999999999999999", " server",
		"server ", "[server" };
	char text[300], what[100];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		snprintf(text, sizeof(text), SERVER PROFILE "[%s]\nx = y\n",
		    wrong[i]);
		snprintf(
		    what, sizeof(what), "there is no section [%s]", wrong[i]);
		assert_refused(text, 5, what,
		    "there are [server], [step] and [profile N], N being a "
		    "number from 1");
		/* Even an empty one. */
		snprintf(
		    text, sizeof(text), SERVER PROFILE "# x\n\t[%s]", wrong[i]);
		assert_refused(text, 6, what, "there are");
	}
	assert_refused(SERVER PROFILE "[step\nmax = 1s\n", 5, "']'", "missing");
	assert_refused(SERVER "[step] max = 1s\n" PROFILE, 3,
	    "there is more behind the ']'", "write it in the next line");
	assert_refused(SERVER PROFILE SERVER, 5, "[server] is there twice",
	    "put its keys into one");
	assert_refused("[step]\n" SERVER PROFILE "[step]\n", 6,
	    "[step] is there twice", "put its keys into one");
	assert_refused(SERVER PROFILE "[step]\n" PROFILE, 6,
	    "[profile 1] is there twice", "put its keys into one");
}

static void
refuses_what_is_missing(void **state)
{
	(void)state;
	assert_refused("", 0, "'data' is missing", "in [server]");
	assert_refused(PROFILE, 0, "'data' is missing", "in [server]");
	assert_refused(
	    "\n[server]\n" PROFILE, 2, "'data' is missing", "in [server]");
	assert_refused(SERVER, 0, "there is no", "[profile 1]");
	assert_refused(SERVER "[profile 3]\nname = x\n" PROFILE, 3,
	    "'site' is missing", "in [profile N]");
}

static void
refuses_lines_that_are_none(void **state)
{
	(void)state;
	assert_refused(
	    SERVER PROFILE "nonsense\n", 5, "this line is no", "'key = value'");
	assert_refused(SERVER "nonsense\nx = y\n" PROFILE, 3, "this line is no",
	    "'key = value'");
	/* The first mistake is named, whoever finds it. */
	assert_refused(
	    SERVER "x = y\nnonsense\n" PROFILE, 3, "'x'", "there are");
	assert_refused(
	    SERVER "x = y\r\nnonsense\r\n" PROFILE, 3, "'x'", "there are");
	assert_refused(SERVER PROFILE "exclude = a\n continued\n", 6,
	    "this line is no", "'key = value'");
}

static void
refuses_contradictions(void **state)
{
	(void)state;
	assert_refused(SERVER "secret = " SECRET "\nsecret_hash = " HASH
			      "\n" PROFILE,
	    4, "[server] has more than one of", "keep one");
	assert_refused(SERVER "secret_hash = " HASH "\nsecret_file = /f\n"
			      "secret = " SECRET "\n" PROFILE,
	    5, "[server] has more than one of", "keep one");
	assert_refused(SERVER "[step]\nmin = 2s\nmax = 1s\n" PROFILE, 4,
	    "'min' must be no more", "'max' in [step]");
	assert_refused(SERVER PROFILE "extra = a:/x\nextra = a:/y\n", 6,
	    "'extra = a:/y' is wrong", "a name of its own");
	assert_refused(SERVER PROFILE "database = mysql://a/x\n"
				      "database = mysql://b/x\n",
	    6, "another database called x", "add ?as=NAME to one of them");
	assert_refused(SERVER PROFILE "database = mysql://a/x\n"
				      "database = y.php?as=x\n",
	    6, "another database called x", "add ?as=NAME to one of them");
}

/* -- bounds -----------------------------------------------------------------
 */

/* A configuration whose last line has so many bytes. */
static char *
text_with_line(const char *line_begins, size_t length)
{
	struct strbuf text = STRBUF_EMPTY;
	size_t left = length - strlen(line_begins);

	strbuf_addstr(&text, SERVER PROFILE);
	strbuf_addstr(&text, line_begins);
	while (left-- > 0)
		strbuf_addc(&text, 'x');
	strbuf_addc(&text, '\n');
	return text.bytes;
}

static void
keeps_to_the_longest_line(void **state)
{
	struct config config;
	char *text;

	(void)state;
	text = text_with_line("#", 8000);
	parse_well(&config, text);
	config_close(&config);
	free(text);
	text = text_with_line("#", 8001);
	assert_refused(text, 5, "the line is longer than", "8000 bytes");
	free(text);
	text = text_with_line("name = ", 7 + 200);
	parse_well(&config, text);
	assert_int_equal(strlen(config.profiles[0].name), 200);
	config_close(&config);
	free(text);
	text = text_with_line("name = ", 7 + 201);
	assert_refused(text, 5, "'name = xxx", "1 to 200 bytes");
	free(text);
	text = text_with_line("on_complete = /", 14 + 4095);
	parse_well(&config, text);
	config_close(&config);
	free(text);
	text = text_with_line("on_complete = /", 14 + 4096);
	assert_refused(text, 5, "'on_complete = /xxx", "xxx\xe2\x80\xa6' is");
	free(text);
	text = text_with_line("exclude = ", 10 + 4096);
	assert_refused(text, 5, "'exclude = xxx", "write a pattern");
	free(text);
	/* A key of any length is named, cut short. */
	text = text_with_line("[step]\nk", 7900);
	assert_refused(text, 6, "this line is no", "'key = value'");
	memcpy(text + strlen(text) - 5, " = 1\n", 5);
	assert_refused(text, 6, "there is no key 'kxxx", "xxx\xe2\x80\xa6' in");
	free(text);
}

static void
keeps_to_the_most_of_all(void **state)
{
	struct strbuf text = STRBUF_EMPTY;
	struct config config;

	(void)state;
	strbuf_addstr(&text, SERVER PROFILE);
	for (int i = 0; i < PROFILE_EXCLUDES_MAX; i++)
		strbuf_addf(&text, "exclude = %d\n", i);
	for (int i = 0; i < PROFILE_EXTRAS_MAX; i++)
		strbuf_addf(&text, "extra = e%d:/%d\n", i, i);
	for (int i = 0; i < PROFILE_DATABASES_MAX; i++)
		strbuf_addf(&text, "database = mysql:///n%d\n", i);
	parse_well(&config, text.bytes);
	assert_int_equal(config.profiles[0].databases.count, 64);
	assert_int_equal(config.profiles[0].excludes.count, 500);
	assert_int_equal(config.profiles[0].extras.count, 64);
	config_close(&config);
	strbuf_addstr(&text, "exclude = x\n");
	assert_refused(
	    text.bytes, 633, "'exclude = x' is wrong", "at most 500 patterns");
	strbuf_cut(&text, text.length - strlen("exclude = x\n"));
	strbuf_addstr(&text, "extra = x:/x\n");
	assert_refused(text.bytes, 633, "'extra = x:/x' is wrong",
	    "at most 64 extra folders");
	strbuf_cut(&text, text.length - strlen("extra = x:/x\n"));
	strbuf_addstr(&text, "database = y\n");
	assert_refused(text.bytes, 633, "'database = \xe2\x80\xa6' is wrong",
	    "at most 64 databases");
	strbuf_reset(&text);
	strbuf_addstr(&text, SERVER);
	for (int i = 1; i <= 1000; i++)
		strbuf_addf(&text, "[profile %d]\nsite = /\n", i);
	parse_well(&config, text.bytes);
	assert_int_equal(config.profile_count, 1000);
	config_close(&config);
	strbuf_addstr(&text, "[profile 1001]\nsite = /\n");
	assert_refused(text.bytes, 2003, "there are more than", "1000");
	strbuf_close(&text);
}

/* -- the file ---------------------------------------------------------------
 */

struct file {
	char path[4200];
};

static struct file
write_config(const char *directory, const char *text, mode_t mode)
{
	struct file file;

	snprintf(file.path, sizeof(file.path), "%s/x.conf", directory);
	unlink(file.path);
	tool_write(directory, "x.conf", text, strlen(text));
	assert_int_equal(chmod(file.path, mode), 0);
	return file;
}

/* The file at path is refused for what is in the one that is named. */
static void
assert_not_loaded_for(const char *path, const char *named, enum fault_code code,
    const char *words)
{
	struct config config = { 0 };
	struct fault fault;

	assert_faulty(config_load(&config, path, CONFIG_BECOME_OWNER, &fault),
	    code, words, &fault);
	assert_contains(fault.text, named);
	config_close(&config);
}

static void
assert_not_loaded(const char *path, enum fault_code code, const char *words)
{
	assert_not_loaded_for(path, path, code, words);
}

static void
refuses_files_that_are_not_private(void **state)
{
	struct file file = write_config(*state, SERVER PROFILE, 0600);
	struct config config = { 0 };
	struct fault fault;

	assert_fine(
	    config_load(&config, file.path, CONFIG_BECOME_OWNER, &fault),
	    &fault);
	assert_string_equal(config.path, file.path);
	config_close(&config);
	file = write_config(*state, SERVER PROFILE, 0640);
	if (geteuid() == 0) {
		/* root may look at any. */
		assert_fine(
		    config_load(&config, file.path, CONFIG_STAY, &fault),
		    &fault);
		config_close(&config);
	}
	assert_not_loaded(file.path, FAULT_SYSTEM, "chmod 600 it");
	file = write_config(*state, SERVER PROFILE, 0604);
	assert_not_loaded(file.path, FAULT_SYSTEM, "(mode 0604)");
	assert_not_loaded(*state, FAULT_USAGE, "is no file of at most 1048576");
	unlink(file.path);
	assert_not_loaded(file.path, FAULT_NOT_FOUND, "cannot be read");
	assert_int_equal(mkfifo(file.path, 0600), 0);
	assert_not_loaded(file.path, FAULT_USAGE, "is no file");
}

static void
refuses_files_that_are_no_text(void **state)
{
	struct file file = write_config(*state, SERVER PROFILE, 0600);
	char *large = malloc(1024 * 1024 + 1);

	tool_write(*state, "x.conf", "[server]\0", 9);
	assert_not_loaded(file.path, FAULT_USAGE, "a NUL byte");
	memset(large, '\n', 1024 * 1024 + 1);
	tool_write(*state, "x.conf", large, 1024 * 1024 + 1);
	assert_not_loaded(file.path, FAULT_USAGE, "at most 1048576 bytes");
	tool_write(*state, "x.conf", large, 1024 * 1024);
	assert_not_loaded(file.path, FAULT_USAGE, "'data' is missing");
	tool_write(*state, "x.conf", "\nx\n", 3);
	assert_not_loaded(file.path, FAULT_USAGE, "x.conf:2: ");
	free(large);
}

static void
reads_the_secret_of_a_file(void **state)
{
	struct config config = { 0 };
	char text[9000], secret[4300];
	struct fault fault;
	struct file file;

	snprintf(secret, sizeof(secret), "%s/secret", (char *)*state);
	snprintf(
	    text, sizeof(text), SERVER "secret_file = %s\n" PROFILE, secret);
	file = write_config(*state, text, 0600);
	assert_faulty(
	    config_load(&config, file.path, CONFIG_BECOME_OWNER, &fault),
	    FAULT_NOT_FOUND, secret, &fault);
	config_close(&config);
	tool_write(*state, "secret", SECRET "\r\n", 28);
	chmod(secret, 0644);
	assert_faulty(
	    config_load(&config, file.path, CONFIG_BECOME_OWNER, &fault),
	    FAULT_SYSTEM, "chmod 600 it", &fault);
	config_close(&config);
	chmod(secret, 0600);
	assert_fine(
	    config_load(&config, file.path, CONFIG_BECOME_OWNER, &fault),
	    &fault);
	assert_true(
	    token_matches_secret(config.secret.hash, SECRET, strlen(SECRET)));
	config_close(&config);
	tool_write(*state, "secret", "weak-and-told\n", 14);
	assert_faulty(
	    config_load(&config, file.path, CONFIG_BECOME_OWNER, &fault),
	    FAULT_USAGE, "at least 22 characters", &fault);
	assert_contains(fault.text, secret);
	assert_null(strstr(fault.text, "weak-and-told"));
	config_close(&config);
}

static void
reads_the_passwords_of_a_file(void **state)
{
	const struct database *databases;
	struct config config = { 0 };
	char text[9000], password[4300];
	struct fault fault;
	struct file file;

	snprintf(password, sizeof(password), "%s/password", (char *)*state);
	snprintf(text, sizeof(text),
	    SERVER PROFILE "database = mysql://u@h/a\ndatabase = x.php\n"
			   "password_file = %s\ndatabase = mysql://u:@h/b\n"
			   "database = mysql://u:own@h/c\n",
	    password);
	file = write_config(*state, text, 0600);
	assert_not_loaded_for(
	    file.path, password, FAULT_NOT_FOUND, "cannot be read");
	tool_write(*state, "password", " p w;#%20 \r\nnot this\n", 21);
	chmod(password, 0640);
	assert_not_loaded_for(
	    file.path, password, FAULT_SYSTEM, "chmod 600 it");
	chmod(password, 0600);
	assert_fine(
	    config_load(&config, file.path, CONFIG_BECOME_OWNER, &fault),
	    &fault);
	databases = config.profiles[0].databases.items;
	assert_string_equal(databases[0].password, " p w;#%20 ");
	assert_null(databases[1].password);
	assert_string_equal(databases[2].password, "");
	assert_string_equal(databases[3].password, "own");
	config_close(&config);
	tool_write(*state, "password", "\nnext line\n", 11);
	assert_not_loaded_for(
	    file.path, password, FAULT_USAGE, "no password in its first");
}

/* As a process with threads may: nothing of the process is touched. */
static void
reads_a_file_again(void **state)
{
	struct config config = { 0 };
	char text[9000];
	struct fault fault;
	struct file file;

	snprintf(text, sizeof(text),
	    SERVER
	    "timezone = Asia/Kolkata\nsecret_file = /nonexistent\n" PROFILE
	    "database = mysql://u@h/a\npassword_file = %s/password\n",
	    (char *)*state);
	file = write_config(*state, text, 0600);
	tool_write(*state, "password", "word\n", 5);
	snprintf(text, sizeof(text), "%s/password", (char *)*state);
	chmod(text, 0600);
	setenv("TZ", "UTC", 1);
	assert_fine(config_reload(&config, file.path, &fault), &fault);
	assert_string_equal(config.path, file.path);
	assert_string_equal(
	    config.profiles[0].databases.items[0].password, "word");
	assert_string_equal(getenv("TZ"), "UTC");
	config_close(&config);
	unlink(text);
	assert_faulty(config_reload(&config, file.path, &fault),
	    FAULT_NOT_FOUND, "[profile 1] password_file", &fault);
	config_close(&config);
	assert_faulty(config_reload(&config, "/nonexistent/x.conf", &fault),
	    FAULT_NOT_FOUND, "/nonexistent/x.conf", &fault);
	config_close(&config);
}

static void
finds_its_file(void **state)
{
	struct file file = write_config(*state, SERVER PROFILE, 0600);
	struct config config = { 0 };
	struct fault fault;

	setenv("STEPVAULT_CONFIG", file.path, 1);
	assert_fine(config_load(&config, NULL, CONFIG_STAY, &fault), &fault);
	assert_string_equal(config.path, file.path);
	config_close(&config);
	setenv("STEPVAULT_CONFIG", "/nonexistent/x.conf", 1);
	assert_faulty(config_load(&config, NULL, CONFIG_STAY, &fault),
	    FAULT_NOT_FOUND, "/nonexistent/x.conf", &fault);
	config_close(&config);
	unsetenv("STEPVAULT_CONFIG");
}

/* In a process of its own, which root never leaves again. */
static int
load_as_owner(void *context)
{
	struct config config = { 0 };
	struct fault fault;

	CHILD_CHECK(
	    config_load(&config, context, CONFIG_BECOME_OWNER, &fault) == 0);
	CHILD_CHECK(geteuid() == 12345 && getuid() == 12345);
	CHILD_CHECK(setuid(0) != 0);
	config_close(&config);
	return 0;
}

/* As another user the file of a third is not taken. */
static int
load_as_stranger(void *context)
{
	struct config config = { 0 };
	struct fault fault;

	CHILD_CHECK(setuid(23456) == 0);
	CHILD_CHECK(
	    config_load(&config, context, CONFIG_BECOME_OWNER, &fault) == -1);
	CHILD_CHECK(strstr(fault.text, "Permission denied") != NULL);
	config_close(&config);
	return 0;
}

static void
becomes_the_owner_of_the_file(void **state)
{
	struct file file = write_config(*state, SERVER PROFILE, 0600);

	if (geteuid() != 0) {
		/* Who cannot give files away reads their own. */
		struct config config = { 0 };
		struct fault fault;

		assert_fine(config_load(&config, file.path, CONFIG_BECOME_OWNER,
				&fault),
		    &fault);
		config_close(&config);
		return;
	}
	assert_int_equal(chmod(*state, 0711), 0);
	assert_int_equal(chown(file.path, 12345, 12345), 0);
	assert_int_equal(tool_wait(tool_fork(load_as_owner, file.path)), 0);
	assert_int_equal(tool_wait(tool_fork(load_as_stranger, file.path)), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_the_defaults_of_the_reference),
		cmocka_unit_test(takes_every_key),
		cmocka_unit_test(refuses_every_wrong_value),
		cmocka_unit_test(refuses_every_duplicate),
		cmocka_unit_test(knows_all_keys_of_the_reference),
		cmocka_unit_test(refuses_unknown_keys),
		cmocka_unit_test(refuses_wrong_sections),
		cmocka_unit_test(refuses_what_is_missing),
		cmocka_unit_test(refuses_lines_that_are_none),
		cmocka_unit_test(refuses_contradictions),
		cmocka_unit_test(keeps_to_the_longest_line),
		cmocka_unit_test(keeps_to_the_most_of_all),
		scratch_test(refuses_files_that_are_not_private),
		scratch_test(refuses_files_that_are_no_text),
		scratch_test(reads_the_secret_of_a_file),
		scratch_test(reads_the_passwords_of_a_file),
		scratch_test(reads_a_file_again),
		scratch_test(finds_its_file),
		scratch_test(becomes_the_owner_of_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
