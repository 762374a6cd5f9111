/* SPDX-License-Identifier: MIT */
/* A site's configuration in a .env file; see settings.h. */
#include "settings.h"

#include "source/dotenv.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_settings(dotenv_read, data, size);
	return 0;
}
