/* SPDX-License-Identifier: MIT */
/* A site's configuration in PHP; see settings.h. */
#include "settings.h"

#include "source/phpfile.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_settings(phpfile_read, data, size);
	return 0;
}
