/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include "base/strbuf.h"
#include "store/token.h"

#include <stdio.h>
#include <string.h>

static int
run(struct cli *cli, int argc, char **argv)
{
	struct strbuf hex = STRBUF_EMPTY;
	char secret[TOKEN_SECRET_SIZE];
	uint8_t hash[TOKEN_HASH_SIZE];

	(void)cli;
	if (argc != 2 || strcmp(argv[1], "new") != 0)
		return cli_usage(&cmd_secret);
	token_new_secret(secret);
	token_hash(secret, strlen(secret), hash);
	strbuf_add_hex(&hex, hash, sizeof(hash));
	printf("The secret, to be given to whoever calls the endpoint; it is "
	       "shown only now:\n\n%s\n\n"
	       "For the configuration, which cannot give the secret away:\n\n"
	       "[server]\nsecret_hash = sha256:%s\n",
	    secret, hex.bytes);
	strbuf_close(&hex);
	return CLI_OK;
}

const struct command cmd_secret = {
	.name = "secret",
	.arguments = "new",
	.help = "make a secret and its line for the configuration",
	.needs = CLI_NOTHING,
	.run = run,
};
