/* SPDX-License-Identifier: MIT */
/*
 * A file of a site that is taken for its configuration: PHP, or a .env after a
 * byte that says so.  What is resolved has a name, a label that can be a folder
 * of the archive, and either a host with a port or a socket; what is not is a
 * fault with the file's name.
 */
#include "fuzz.h"

#include "source/site.h"
#include "store/database.h"

static void
check_database(const struct database *database)
{
	CHECK(database->config == NULL);
	CHECK(database->name != NULL && database->name[0] != '\0');
	CHECK(strlen(database->name) <= 256);
	CHECK(database->label[0] != '\0' && database->label[0] != '.');
	CHECK(strchr(database->label, '/') == NULL);
	CHECK(strlen(database->label) <= 100);
	if (database->host != NULL) {
		CHECK(database->host[0] != '\0' && database->socket == NULL);
		CHECK(database->port > 0 && database->port <= 65535);
	} else {
		CHECK(database->port == 0);
		CHECK(database->socket == NULL || database->socket[0] == '/');
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char php[] = "x.php", env[] = ".env";
	struct database from = { 0 }, to;
	int folder = fuzz_scratch();
	struct fault fault;

	from.config = size > 0 && data[0] == '=' ? env : php;
	fuzz_write(folder, from.config, data, size);
	close(folder);
	if (site_database(fuzz_path, &from, &to, &fault) == 0) {
		check_database(&to);
	} else {
		check_fault(&fault, FAULT_USAGE);
		CHECK(
		    strncmp(fault.text, from.config, strlen(from.config)) == 0);
	}
	database_close(&to);
	return 0;
}
