/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_SOURCE_SITE_H
#define ENGINE_SOURCE_SITE_H

struct database;
struct fault;
struct profile;

/*
 * What a site's own configuration says of its database.  It is read and never
 * executed: WordPress (wp-config.php), Joomla (configuration.php), Drupal
 * (settings.php, and a settings.local.php that it loads), Magento
 * (app/etc/env.php), PrestaShop (app/config/parameters.php,
 * config/settings.inc.php), Laravel, Symfony and others with a .env.
 */

/*
 * Resolve a database of a profile into one without config: what a path names is
 * read, in the site's folder unless it is absolute; what a URL names is copied.
 * As for PHP, the host "localhost" is the socket, whatever the port.  A value
 * that is not written out is FAULT_USAGE with file, line and what to write
 * instead; no fault contains a value.  Returns 0 or -1; after either,
 * database_close.
 */
int site_database(const char *site, const struct database *from,
    struct database *to, struct fault *fault);

/*
 * All databases of a profile can be resolved, and each has a label of its own.
 * Returns 0 or -1.
 */
int site_check(const struct profile *profile, struct fault *fault);

/* What was found in a folder. */
struct site {
	const char
	    *kind;    /* "WordPress", a constant; NULL: none that is known */
	char *config; /* malloc'd path of its configuration, from the folder
		       * on; NULL: it has none yet */
};

/*
 * Which kind of site lies in a folder.  None is no fault.  Returns 0 or -1;
 * after either, site_close.
 */
int site_find(const char *folder, struct site *site, struct fault *fault);

void site_close(struct site *site);

#endif
