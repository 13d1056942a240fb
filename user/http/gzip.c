// SPDX-License-Identifier: MIT
#include "http/gzip.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

#define GZIP_WINDOW  (15 + 16) /* the largest window, and gzip's header instead of zlib's */
#define MEMORY_LEVEL 8         /* zlib's default */

int gzip_compress(const struct buffer *from, struct buffer *to)
{
	z_stream stream = {};
	int code;

	/* Pages of metrics repeat themselves: the fastest level takes nine tenths off. */
	if (from->size > UINT_MAX / 2 ||
	    deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, MEMORY_LEVEL,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	to->room = deflateBound(&stream, from->size);
	to->text = malloc(to->room);
	if (!to->text) {
		deflateEnd(&stream);
		return -ENOMEM;
	}
	stream.next_in = (unsigned char *)from->text;
	stream.avail_in = (unsigned)from->size;
	stream.next_out = (unsigned char *)to->text;
	stream.avail_out = (unsigned)to->room;
	code = deflate(&stream, Z_FINISH);
	to->size = stream.total_out;
	deflateEnd(&stream);
	return code == Z_STREAM_END ? 0 : -ENOMEM;
}
