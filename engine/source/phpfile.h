/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_SOURCE_PHPFILE_H
#define ENGINE_SOURCE_PHPFILE_H

#include <stddef.h>

struct fault;
struct settings;

/*
 * Add what a PHP file sets by literals: strings, numbers, lists of them, what
 * is joined of them, and constants and variables that were set so before.
 * Nothing is run; what is not literal is a setting that is not known.
 *
 *	define/DB_NAME                define('DB_NAME', …), const DB_NAME = …
 *	$databases/default/default    $databases['default']['default'] = …
 *	class JConfig/host            class JConfig { public $host = …
 *	return/db/0                   return ['db' => [ …
 *	include                       the end of the path of a file it loads,
 *	                              if that is literal
 *
 * file names it in settings, and must stay.  A file of more depth than a
 * configuration has is FAULT_USAGE.  Returns 0 or -1.
 */
int phpfile_read(struct settings *settings, const char *file, const char *text,
    size_t length, struct fault *fault);

#endif
