/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_HTTP_NEGOTIATE_H
#define GENSCOPE_HTTP_NEGOTIATE_H

#include <stdbool.h>

#include "sink/exposition.h"

/* What a client would rather have (RFC 9110, 12.5). Pure functions of the header's value; NULL is a
 * request without that header. What cannot be understood is passed over, never an error. */

/* OpenMetrics for who asks for it by name and version 1.0.0 (or none) at least as much as for text; the
 * text format for everybody else. */
enum exposition_format negotiate_exposition(const char *accept);

/* Accept-Encoding: may the answer be gzip? */
bool negotiate_gzip(const char *accept_encoding);

#endif
