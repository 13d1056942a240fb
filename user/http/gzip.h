/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_HTTP_GZIP_H
#define GENSCOPE_HTTP_GZIP_H

#include "python/buffer.h"

/* Compresses `from` into `to`, an empty buffer that the caller frees. 0 or -ENOMEM. */
int gzip_compress(const struct buffer *from, struct buffer *to);

#endif
