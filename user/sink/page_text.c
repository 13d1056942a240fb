// SPDX-License-Identifier: MIT
#include "sink/page_text.h"

/* Both are made by user/sink/page/pack.py, and found through the compiler's -I. */
__asm__(".pushsection .rodata\n"
	"page_head_begin: .incbin \"page.head.html\"\n"
	"page_head_end:\n"
	"page_tail_begin: .incbin \"page.tail.html\"\n"
	"page_tail_end:\n"
	".popsection\n");

extern const char page_head_begin[], page_head_end[], page_tail_begin[], page_tail_end[];

void page_text(struct page_text *out)
{
	*out = (struct page_text){
		.head = page_head_begin,
		.tail = page_tail_begin,
		.head_bytes = (size_t)(page_head_end - page_head_begin),
		.tail_bytes = (size_t)(page_tail_end - page_tail_begin),
	};
}
