/* SPDX-License-Identifier: MIT */
#ifndef CGI_PAGE_H
#define CGI_PAGE_H

struct response;

/*
 * Turn an answer of plain text into a small page with the same text, for a
 * person's browser.
 */
void page_wrap(struct response *response);

#endif
