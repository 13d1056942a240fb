/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SINK_PAGE_TEXT_H
#define GENSCOPE_SINK_PAGE_TEXT_H

#include <stddef.h>

/* The page of user/sink/page/ as the Makefile put it together: what comes before the data and behind it.
 * Not NUL-terminated. */
struct page_text {
	const char *head, *tail;
	size_t head_bytes, tail_bytes;
};

void page_text(struct page_text *out);

#endif
