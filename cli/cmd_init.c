/* SPDX-License-Identifier: MIT */
/*
 * A configuration, a data directory and a secret, made for the site that is
 * found.  What cannot be known is asked; with --yes it is what would have been
 * offered.  Nothing is made before all is known, and nothing is overwritten.
 */
#include "ask.h"
#include "cli.h"
#include "setup.h"

#include "base/fault.h"
#include "base/strbuf.h"
#include "run/engine.h"
#include "source/db.h"
#include "source/site.h"
#include "store/database.h"
#include "store/token.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYSTEM_CONFIG "/etc/stepvault/stepvault.conf"
#define SYSTEM_DATA   "/var/lib/stepvault"
#define SYSTEM_USER   "stepvault"

#define ADDRESS "https://example.org"

/* -- where ------------------------------------------------------------------
 */

static bool
is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* From the root on, with no slash behind; symlinks stay, for a deployment may
 * change them.  Malloc'd. */
static char *
absolute(const char *path)
{
	struct strbuf out = STRBUF_EMPTY;

	if (path[0] != '/') {
		char *here = getcwd(NULL, 0);

		strbuf_addstr(&out, here != NULL ? here : "");
		free(here);
		if (strcmp(path, ".") == 0)
			path = "";
		else
			strbuf_addc(&out, '/');
	}
	strbuf_addstr(&out, path);
	while (out.length > 1 && out.bytes[out.length - 1] == '/')
		strbuf_cut(&out, out.length - 1);
	return out.bytes;
}

/* In the home of who runs this; malloc'd. */
static char *
at_home(const char *path)
{
	struct passwd *user = getpwuid(geteuid());
	struct strbuf out = STRBUF_EMPTY;

	strbuf_addf(&out, "%s/%s", user != NULL ? user->pw_dir : "", path);
	return out.bytes;
}

static char *
config_path(const struct cli *cli)
{
	const char *named = getenv("STEPVAULT_CONFIG");

	if (cli->config_path != NULL)
		return absolute(cli->config_path);
	if (named != NULL && named[0] != '\0')
		return absolute(named);
	return geteuid() == 0 ? strbuf_copy(SYSTEM_CONFIG)
			      : at_home(".config/stepvault/stepvault.conf");
}

/* -- the site ---------------------------------------------------------------
 */

static bool
is_site(const char *folder)
{
	struct site site;
	struct fault unused;
	bool result =
	    site_find(folder, &site, &unused) == 0 && site.kind != NULL;

	site_close(&site);
	return result;
}

static int
choose_site(struct setup *setup, bool yes)
{
	char *here = absolute(".");
	const char *guess =
	    is_site(here) || !is_site("/var/www/html") ? here : "/var/www/html";
	int status = CLI_OK;

	if (setup->site == NULL && !yes) {
		setup->site = ask_text("The folder of the site", guess);
	} else if (setup->site == NULL && is_site(guess)) {
		setup->site = strbuf_copy(guess);
	} else if (setup->site == NULL) {
		cli_complain("there is no site here that is known; name its "
			     "folder with --site");
		status = CLI_USAGE;
	}
	free(here);
	if (setup->site == NULL)
		return status == CLI_OK ? CLI_FAILED : status;
	here = setup->site;
	setup->site = absolute(here);
	free(here);
	if (!is_folder(setup->site)) {
		cli_complain(
		    "%s is no folder that can be reached", setup->site);
		return CLI_USAGE;
	}
	return CLI_OK;
}

/* -- who runs it ------------------------------------------------------------
 */

/* For whom root is most likely to make it; NULL if there is nobody. */
static const char *
likely_user(const char *site)
{
	struct stat st;
	struct passwd *user;

	if (getpwnam(SYSTEM_USER) != NULL)
		return SYSTEM_USER;
	if (stat(site, &st) == 0 && st.st_uid != 0 &&
	    (user = getpwuid(st.st_uid)) != NULL)
		return user->pw_name;
	return getpwnam("www-data") != NULL ? "www-data" : NULL;
}

static int
choose_user(struct setup *setup, bool yes)
{
	const char *guess = likely_user(setup->site);
	struct passwd *user;

	setup->uid = geteuid();
	setup->gid = getegid();
	if (geteuid() != 0) {
		if (setup->user == NULL)
			return CLI_OK;
		cli_complain("only root can make it for another user");
		return CLI_USAGE;
	}
	if (setup->user == NULL && !yes)
		setup->user = ask_text("The user that Stepvault is to run as",
		    guess != NULL ? guess : "root");
	else if (setup->user == NULL && guess != NULL)
		setup->user = strbuf_copy(guess);
	if (setup->user == NULL) {
		cli_complain("name the user that it is to run as with --user");
		return CLI_USAGE;
	}
	user = getpwnam(setup->user);
	if (user == NULL) {
		cli_complain("there is no user %s", setup->user);
		return CLI_USAGE;
	}
	setup->uid = user->pw_uid;
	setup->gid = user->pw_gid;
	return CLI_OK;
}

/* -- its database -----------------------------------------------------------
 */

/* Whether it can be reached; says what it found. */
static int
try_database(const char *site, const char *text)
{
	struct database named, database = { 0 };
	struct db *db = NULL;
	struct fault fault;
	int result = -1;

	if (database_parse(&named, text, &fault) == 0 &&
	    site_database(site, &named, &database, &fault) == 0 &&
	    db_open(&db, &database, &fault) == 0) {
		printf("The database %s answers: %s %s.\n", database.name,
		    db_is_mariadb(db) ? "MariaDB" : "MySQL", db_version(db));
		result = 0;
	} else {
		cli_complain("%s", fault.text);
	}
	db_close(db);
	database_close(&database);
	database_close(&named);
	return result;
}

static int
choose_database(struct setup *setup, bool yes)
{
	struct fault fault;

	if (site_find(setup->site, &setup->found, &fault) != 0)
		return cli_fault(&fault);
	if (setup->found.kind != NULL)
		printf("%s is %s.\n", setup->site, setup->found.kind);
	if (yes) {
		if (setup->found.config == NULL) {
			cli_complain("no database was found; name it in the "
				     "configuration if there is one");
			return CLI_OK;
		}
		setup->database = strbuf_copy(setup->found.config);
		try_database(setup->site, setup->database);
		return CLI_OK;
	}
	for (;;) {
		setup->database = ask_text(
		    "Its database: a path to its own configuration, "
		    "mysql://USER:PASSWORD@HOST/NAME, or none",
		    setup->found.config != NULL ? setup->found.config : "none");
		if (setup->database == NULL)
			return CLI_FAILED;
		if (strcmp(setup->database, "none") == 0 ||
		    try_database(setup->site, setup->database) == 0 ||
		    ask_yes("Take it all the same?", false))
			return CLI_OK;
		free(setup->database);
		setup->database = NULL;
	}
}

/* -- the rest ---------------------------------------------------------------
 */

static int
choose_data(struct setup *setup, bool yes)
{
	char *guess = geteuid() == 0 ? strbuf_copy(SYSTEM_DATA)
				     : at_home(".local/share/stepvault");
	char *path;

	if (setup->data == NULL)
		setup->data = yes
		    ? strbuf_copy(guess)
		    : ask_text("The data directory, outside of every site "
			       "and document root",
			  guess);
	free(guess);
	if (setup->data == NULL)
		return CLI_FAILED;
	path = absolute(setup->data);
	free(setup->data);
	setup->data = path;
	return CLI_OK;
}

/* "https://example.org" of "/var/www/example.org/html"; malloc'd. */
static char *
likely_address(const char *site)
{
	struct strbuf out = STRBUF_EMPTY;
	const char *end = site + strlen(site);

	while (end > site) {
		const char *begin = end;

		while (begin > site && begin[-1] != '/')
			begin--;
		if (begin < end && begin[0] != '.' &&
		    memchr(begin, '.', (size_t)(end - begin)) != NULL) {
			strbuf_addf(
			    &out, "https://%.*s", (int)(end - begin), begin);
			return out.bytes;
		}
		end = begin > site ? begin - 1 : site;
	}
	return strbuf_copy(ADDRESS);
}

static int
choose_address(struct setup *setup, bool yes)
{
	char *guess = likely_address(setup->site);
	size_t length;

	if (setup->address == NULL)
		setup->address = yes
		    ? strbuf_copy(guess)
		    : ask_text("The address of the site", guess);
	free(guess);
	if (setup->address == NULL)
		return CLI_FAILED;
	length = strlen(setup->address);
	while (length > 0 && setup->address[length - 1] == '/')
		setup->address[--length] = '\0';
	if (strstr(setup->address, "://") == NULL ||
	    strpbrk(setup->address, " '\"\\") != NULL) {
		cli_complain(
		    "'%s' is no address such as " ADDRESS, setup->address);
		return CLI_USAGE;
	}
	return CLI_OK;
}

static int
choose(struct setup *setup, bool yes)
{
	static int (*const choices[])(struct setup *, bool) = { choose_site,
		choose_user, choose_database, choose_data, choose_address };

	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		int status = choices[i](setup, yes);

		if (status == CLI_FAILED)
			cli_complain("nothing was made");
		if (status != CLI_OK)
			return status;
	}
	return CLI_OK;
}

/* -- what was made ----------------------------------------------------------
 */

/* Whether the one who will run it can read what is to be backed up. */
static void
check_reading(const struct setup *setup)
{
	struct database named = { 0 }, database = { 0 };
	struct fault fault;

	if (faccessat(AT_FDCWD, setup->site, R_OK | X_OK, AT_EACCESS) != 0)
		cli_complain("%s cannot read %s (%s); the service of conf/ can",
		    setup->user, setup->site, strerror(errno));
	else if (setup->database != NULL &&
	    strcmp(setup->database, "none") != 0 &&
	    database_parse(&named, setup->database, &fault) == 0 &&
	    site_database(setup->site, &named, &database, &fault) != 0 &&
	    fault.code == FAULT_SYSTEM)
		cli_complain("%s, as %s; the service of conf/ can read it",
		    fault.text, setup->user);
	database_close(&named);
	database_close(&database);
}

/*
 * Load it as every other command does, and open the data directory.  From here
 * on root is whom it belongs to.
 */
static int
check(struct cli *cli, const struct setup *setup)
{
	struct config config = { 0 };
	struct engine engine = { .datadir = DATADIR_CLOSED };
	bool root = geteuid() == 0;
	struct fault fault;
	int status = CLI_OK;

	if (config_load(&config, setup->config, cli->user, &fault) != 0 ||
	    engine_open(&engine, &config, &fault) != 0)
		status = cli_fault(&fault);
	else if (root && geteuid() != 0)
		check_reading(setup);
	engine_close(&engine);
	config_close(&config);
	return status;
}

static void
print_result(const struct cli *cli, const struct setup *setup)
{
	static const char url[] = "/stepvault/backup";
	static const char curl[] = "curl -fsSL --max-redirs 10000 -H "
				   "@\"$HOME/.stepvault\"";

	printf("\nThe configuration is %s, the data will be in %s.\n"
	       "The secret, which is shown only now:\n\n%s\n\n"
	       "Once the web server knows of Stepvault (see 'Install' in the "
	       "README), this makes a\nbackup, from any machine:\n\n"
	       "umask 077; echo 'Authorization: Bearer %s' > ~/.stepvault\n"
	       "%s %s%s\n\n"
	       "and this line of a crontab one every night:\n\n"
	       "*/5 2-4 * * *  %s %s%s\n\n"
	       "For a cron service, every few minutes:\n\n"
	       "%s%s?key=%s\n\n"
	       "Without a web server: stepvault %s%s%srun\n",
	    setup->config, setup->data, setup->secret, setup->secret, curl,
	    setup->address, url, curl, setup->address, url, setup->address, url,
	    setup->secret, cli->config_path != NULL ? "--config " : "",
	    cli->config_path != NULL ? setup->config : "",
	    cli->config_path != NULL ? " " : "");
}

/* Sets *yes; the other options go into the setup.  0 or -1. */
static int
parse_options(int argc, char **argv, struct setup *setup, bool *yes)
{
	static const struct option options[] = {
		{ "site", required_argument, NULL, 's' },
		{ "data", required_argument, NULL, 'd' },
		{ "user", required_argument, NULL, 'u' },
		{ "url", required_argument, NULL, 'a' },
		{ "yes", no_argument, NULL, 'y' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	optind = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		char **place = option == 's' ? &setup->site
		    : option == 'd'          ? &setup->data
		    : option == 'u'          ? &setup->user
		    : option == 'a'          ? &setup->address
					     : NULL;

		if (option == 'y') {
			*yes = true;
		} else if (place != NULL) {
			free(*place);
			*place = strbuf_copy(optarg);
		} else {
			return -1;
		}
	}
	return optind == argc ? 0 : -1;
}

static int
set_up(struct cli *cli, struct setup *setup, bool yes)
{
	struct fault fault;
	int status;

	setup->config = config_path(cli);
	if (access(setup->config, F_OK) == 0) {
		cli_complain("%s exists, and is never overwritten; edit it, or "
			     "name another with --config",
		    setup->config);
		return CLI_USAGE;
	}
	if (!yes && !ask_can()) {
		cli_complain("there is no terminal to ask questions on; say "
			     "--yes, and what cannot be guessed as options");
		return CLI_USAGE;
	}
	status = choose(setup, yes);
	if (status != CLI_OK)
		return status;
	if (setup_make(setup, &fault) != 0)
		return cli_fault(&fault);
	status = check(cli, setup);
	if (status == CLI_OK)
		print_result(cli, setup);
	return status;
}

static int
run(struct cli *cli, int argc, char **argv)
{
	struct setup setup = { 0 };
	bool yes = false;
	int status;

	if (parse_options(argc, argv, &setup, &yes) != 0) {
		setup_close(&setup);
		return cli_usage(&cmd_init);
	}
	status = set_up(cli, &setup, yes);
	setup_close(&setup);
	return status;
}

const struct command cmd_init = {
	.name = "init",
	.arguments = "[--site DIR] [--data DIR] [--user NAME] [--url ADDRESS] "
		     "[--yes]",
	.help = "make a configuration and a secret for a site; --yes: ask "
		"nothing",
	.needs = CLI_NOTHING,
	.run = run,
};
