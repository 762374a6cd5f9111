/* SPDX-License-Identifier: MIT */
#include "ask.h"

#include "base/strbuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool
ask_can(void)
{
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

/* A line without the blanks around it; NULL at the end. */
static char *
read_answer(void)
{
	static const char blanks[] = " \t\r\n";
	char *line = NULL, *answer = NULL;
	size_t room = 0, length;

	fflush(stdout);
	if (getline(&line, &room, stdin) >= 0) {
		char *begin = line + strspn(line, blanks);

		length = strlen(begin);
		while (length > 0 && strchr(blanks, begin[length - 1]) != NULL)
			length--;
		answer = strbuf_copy_part(begin, length);
	}
	free(line);
	return answer;
}

char *
ask_text(const char *question, const char *standard)
{
	char *answer;

	printf("%s [%s]: ", question, standard);
	answer = read_answer();
	if (answer != NULL && answer[0] == '\0') {
		free(answer);
		answer = strbuf_copy(standard);
	}
	return answer;
}

bool
ask_yes(const char *question, bool standard)
{
	for (;;) {
		char *answer, first;

		printf("%s [%s]: ", question, standard ? "Y/n" : "y/N");
		answer = read_answer();
		if (answer == NULL)
			return false;
		first = answer[0];
		free(answer);
		if (first == '\0')
			return standard;
		if (first == 'y' || first == 'Y')
			return true;
		if (first == 'n' || first == 'N')
			return false;
	}
}
