/* SPDX-License-Identifier: MIT */
/* The table of keys, and its reference. */
#include "store/config_internal.h"

#include "base/strbuf.h"
#include "store/values.h"

#include <stddef.h>

#define IN_CONFIG(m)  offsetof(struct config, m)
#define IN_PROFILE(m) offsetof(struct profile, m)

const char *const config_section_names[] = { "server", "step", "profile N" };

/* Order of the reference. */
const struct config_key config_keys[] = {
	{ SECTION_SERVER, "data", values_path, IN_CONFIG(data), NULL,
	    KEY_REQUIRED,
	    "The data directory: state, records and archives. Outside every "
	    "site and document root, mode 0700, owned by the user that runs "
	    "Stepvault; it is made if its parent exists." },
	{ SECTION_SERVER, "secret_hash", values_secret_hash, IN_CONFIG(secret),
	    NULL, KEY_HIDDEN,
	    "`sha256:HEX`, the hash of the secret, as `stepvault secret new` "
	    "prints it. One of the three secret keys; without any the "
	    "endpoint answers 403 to everything." },
	{ SECTION_SERVER, "secret", values_secret, IN_CONFIG(secret), NULL,
	    KEY_HIDDEN,
	    "The secret itself, at least 22 characters, 10 different ones." },
	{ SECTION_SERVER, "secret_file", values_path, IN_CONFIG(secret_file),
	    NULL, KEY_HIDDEN,
	    "A file with the secret in it, readable by its owner only." },
	{ SECTION_SERVER, "enabled", values_flag, IN_CONFIG(enabled), "yes", 0,
	    "`no` makes the endpoint answer 403 to everything; the command "
	    "line goes on working." },
	{ SECTION_SERVER, "timezone", values_zone, IN_CONFIG(timezone), "UTC",
	    0, "Time zone of logs and lists, such as `Europe/Berlin`." },
	{ SECTION_SERVER, "trusted_proxies", values_netblock,
	    IN_CONFIG(trusted_proxies), "", KEY_REPEATABLE,
	    "Address or CIDR block of a proxy whose `X-Forwarded-For` is "
	    "believed. Repeatable." },
	{ SECTION_SERVER, "data_in_site", values_flag, IN_CONFIG(data_in_site),
	    "no", 0,
	    "`yes` allows a data directory inside a site. It is never backed "
	    "up. A `.htaccess` in it forbids Apache to serve it; any other web "
	    "server must be told." },
	{ SECTION_SERVER, "companion", values_flag, IN_CONFIG(companion), "yes",
	    0,
	    "Between steps a small process of its own holds the snapshots of "
	    "databases, so that a dump of many steps is one consistent whole. "
	    "`no` forbids it: the record then says `per-chunk`." },
	{ SECTION_SERVER, "snapshot_max", values_duration,
	    IN_CONFIG(snapshot_max), "15m", 0,
	    "A snapshot that nobody has asked for anything for so long is let "
	    "go; at least 1s." },
	{ SECTION_SERVER, "snapshot_tries", values_count,
	    IN_CONFIG(snapshot_tries), "3", 0,
	    "A dump whose snapshot was lost begins again with a new one; after "
	    "so many, 1 to 100, it goes on without, and the record says "
	    "`per-chunk`." },
	{ SECTION_STEP, "max", values_duration, IN_CONFIG(step_max), "10s", 0,
	    "The longest a request may take, the checkpoint at its end "
	    "included; 50ms to 1h. Where the host kills earlier, Stepvault "
	    "finds that out and stays below." },
	{ SECTION_STEP, "min", values_duration, IN_CONFIG(step_min), "0s", 0,
	    "A request that ends earlier waits until then, for hosts that "
	    "punish bursts." },
	{ SECTION_STEP, "checkpoint", values_duration, IN_CONFIG(checkpoint),
	    "2s", 0,
	    "A kill costs at most the work of this time; at least 100ms." },
	{ SECTION_STEP, "checkpoint_size", values_size,
	    IN_CONFIG(checkpoint_size), "64M", 0,
	    "... or at most this many bytes read, whichever is less; at "
	    "least 64K." },
	{ SECTION_STEP, "workers", values_count, IN_CONFIG(workers), "2", 0,
	    "Compressing threads of a step, 0 to 16. Memory grows with each." },
	{ SECTION_PROFILE, "name", values_text, IN_PROFILE(name),
	    "Unnamed site", 0, "What people call it, in lists." },
	{ SECTION_PROFILE, "site", values_path, IN_PROFILE(site), NULL,
	    KEY_REQUIRED, "The folder to back up, packed under `files/`." },
	{ SECTION_PROFILE, "extra", values_extra, IN_PROFILE(extras), NULL,
	    KEY_REPEATABLE,
	    "`NAME:/PATH`: one more folder, packed under `extra/NAME/`. "
	    "Repeatable." },
	{ SECTION_PROFILE, "exclude", values_pattern, IN_PROFILE(excludes),
	    NULL, KEY_REPEATABLE,
	    "What to leave out, as in a .gitignore: `*`, `?`, `[…]`, `**`, a "
	    "trailing `/` for folders only, a leading `!` to take back in; "
	    "with a `/` before its end it counts from the site's root. The "
	    "last match wins. Repeatable." },
	{ SECTION_PROFILE, "default_excludes", values_flag,
	    IN_PROFILE(default_excludes), "yes", 0,
	    "Leave out what well-known programs can make again: caches, "
	    "sessions, other backup tools' archives. `stepvault config "
	    "excludes` lists them." },
	{ SECTION_PROFILE, "database", values_database, IN_PROFILE(databases),
	    NULL, KEY_REPEATABLE | KEY_HIDDEN,
	    "`mysql://USER:PASSWORD@HOST:3306/NAME`, or a path to the site's "
	    "own configuration, such as `wp-config.php`; packed under "
	    "`databases/NAME/`. Repeatable." },
	{ SECTION_PROFILE, "password_file", values_path,
	    IN_PROFILE(password_file), NULL, 0,
	    "A file with the password of each `database` URL that has none, "
	    "readable by its owner only." },
	{ SECTION_PROFILE, "exclude_table", values_tables,
	    IN_PROFILE(excluded_tables), NULL, KEY_REPEATABLE,
	    "Tables to leave out, by a pattern such as `*_cache`, or "
	    "`shop.*_cache` for one database only. Repeatable." },
	{ SECTION_PROFILE, "exclude_data", values_tables,
	    IN_PROFILE(excluded_data), NULL, KEY_REPEATABLE,
	    "The same for tables of which only the structure is wanted. "
	    "Repeatable." },
	{ SECTION_PROFILE, "definers", values_definers, IN_PROFILE(definers),
	    "keep", 0,
	    "`drop` leaves out whose rights views, triggers, routines and "
	    "events have: they get those of whoever restores them." },
	{ SECTION_PROFILE, "compress", values_compression,
	    IN_PROFILE(compression), "zstd:3", 0,
	    "`zstd:1` to `zstd:19`, `gzip:1` to `gzip:9`, `xz:0` to `xz:9`, "
	    "`none`." },
	{ SECTION_PROFILE, "part_size", values_size, IN_PROFILE(part_size), "0",
	    0,
	    "Split the archive into numbered parts of this size, such as "
	    "`2G`; at least 64K. 0: one file." },
	{ SECTION_PROFILE, "one_file_system", values_flag,
	    IN_PROFILE(one_file_system), "no", 0,
	    "Do not enter folders where another file system is mounted. "
	    "Pseudo file systems such as /proc are never entered." },
	{ SECTION_PROFILE, "min_free", values_size, IN_PROFILE(min_free), "1G",
	    0,
	    "Stop, and remove what was begun, before the disk of the data "
	    "directory has less than this free." },
	{ SECTION_PROFILE, "keep_last", values_count, IN_PROFILE(keep_last),
	    "7", 0,
	    "Complete backups of this profile to keep; older ones are removed "
	    "when a new one is complete. 0: all." },
	{ SECTION_PROFILE, "again_after", values_duration,
	    IN_PROFILE(again_after), "10m", 0,
	    "For this long after a backup has ended the secret URL repeats "
	    "its final answer and starts nothing. Doubles with each failure "
	    "in a row, up to a day." },
	{ SECTION_PROFILE, "once_per", values_duration, IN_PROFILE(once_per),
	    "0", 0,
	    "For this long after the start of a complete backup the secret "
	    "URL starts no other: `20h` suits a cron service that calls "
	    "every minute." },
	{ SECTION_PROFILE, "on_complete", values_path, IN_PROFILE(on_complete),
	    NULL, 0,
	    "A program to run, without a shell, when a backup is complete; "
	    "its arguments are the backup ID and the path of each part. What "
	    "it prints, and that it failed, is in the backup's log. It may be "
	    "run twice for one backup if the host kills at that moment." },
};

_Static_assert(sizeof(config_keys) / sizeof(config_keys[0]) == CONFIG_KEY_COUNT,
    "CONFIG_KEY_COUNT is the number of keys");

void
config_reference(struct strbuf *out)
{
	size_t last = SIZE_MAX;

	for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
		const struct config_key *key = &config_keys[i];

		if (last == SIZE_MAX ||
		    config_keys[last].section != key->section)
			strbuf_addf(out,
			    "%s**[%s]**\n\n| key | default | meaning |\n"
			    "| --- | --- | --- |\n",
			    last == SIZE_MAX ? "" : "\n",
			    config_section_names[key->section]);
		last = i;
		strbuf_addf(out, "| `%s` | %s%s%s | %s |\n", key->name,
		    key->standard != NULL && key->standard[0] != '\0' ? "`"
								      : "",
		    (key->flags & KEY_REQUIRED) != 0 ? "required"
			: key->standard != NULL      ? key->standard
						     : "",
		    key->standard != NULL && key->standard[0] != '\0' ? "`"
								      : "",
		    key->help);
	}
}
