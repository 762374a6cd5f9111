/* SPDX-License-Identifier: MIT */
/* What tells one kind of site from another. */
#include "source/site.h"

#include "base/fault.h"
#include "base/strbuf.h"
#include "store/database.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct candidate {
	const char *kind;
	const char *evidence; /* is there ... */
	const char *unless;   /* ... and this is not; or NULL */
	const char *config;
};

/* Of one kind the first that names a database counts. */
static const struct candidate candidates[] = {
	{ "WordPress", "wp-load.php", NULL, "wp-config.php" },
	/* WordPress itself looks there. */
	{ "WordPress", "wp-load.php", "../wp-settings.php",
	    "../wp-config.php" },
	{ "WordPress", "wp-config.php", NULL, "wp-config.php" },
	{ "Bedrock", "web/wp-config.php", NULL, ".env" },
	{ "Joomla", "administrator/index.php", NULL, "configuration.php" },
	{ "Drupal", "core/lib/Drupal.php", NULL, "sites/default/settings.php" },
	{ "Drupal", "sites/default/settings.php", NULL,
	    "sites/default/settings.php" },
	{ "Drupal", "web/sites/default/settings.php", NULL,
	    "web/sites/default/settings.php" },
	{ "Drupal", "docroot/sites/default/settings.php", NULL,
	    "docroot/sites/default/settings.php" },
	{ "Magento", "bin/magento", NULL, "app/etc/env.php" },
	{ "Magento", "../bin/magento", NULL, "../app/etc/env.php" },
	{ "PrestaShop", "classes/PrestaShopAutoload.php", NULL,
	    "app/config/parameters.php" },
	{ "PrestaShop", "classes/PrestaShopAutoload.php", NULL,
	    "config/settings.inc.php" },
	{ "Laravel", "artisan", NULL, ".env" },
	{ "Laravel", "../artisan", NULL, "../.env" },
	{ "Symfony", "bin/console", NULL, ".env.local.php" },
	{ "Symfony", "bin/console", NULL, ".env.local" },
	{ "Symfony", "bin/console", NULL, ".env" },
	{ "Symfony", "../bin/console", NULL, "../.env.local.php" },
	{ "Symfony", "../bin/console", NULL, "../.env.local" },
	{ "Symfony", "../bin/console", NULL, "../.env" },
};

#define CANDIDATE_COUNT (sizeof(candidates) / sizeof(candidates[0]))

static bool
is_file(int folder, const char *path)
{
	struct stat st;

	return fstatat(folder, path, &st, 0) == 0 && S_ISREG(st.st_mode);
}

static bool
names_database(const char *folder, const char *config)
{
	struct database from = { .config = strbuf_copy(config) }, to;
	struct fault unused;
	bool result = site_database(folder, &from, &to, &unused) == 0;

	database_close(&to);
	database_close(&from);
	return result;
}

int
site_find(const char *folder, struct site *site, struct fault *fault)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool named = false;

	memset(site, 0, sizeof(*site));
	if (fd < 0)
		return fault_errno(fault, "%s cannot be read", folder);
	for (size_t i = 0; i < CANDIDATE_COUNT && !named; i++) {
		const struct candidate *candidate = &candidates[i];

		if ((site->kind != NULL &&
			strcmp(site->kind, candidate->kind) != 0) ||
		    !is_file(fd, candidate->evidence) ||
		    (candidate->unless != NULL &&
			is_file(fd, candidate->unless)))
			continue;
		site->kind = candidate->kind;
		if (!is_file(fd, candidate->config))
			continue;
		named = names_database(folder, candidate->config);
		if (named || site->config == NULL) {
			free(site->config);
			site->config = strbuf_copy(candidate->config);
		}
	}
	close(fd);
	return 0;
}

void
site_close(struct site *site)
{
	free(site->config);
	memset(site, 0, sizeof(*site));
}
