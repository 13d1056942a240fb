/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_HTTP_WEB_YAML_H
#define GENSCOPE_HTTP_WEB_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

#include "http/error.h"

/*
 * YAML as strict as exporters read it: every mapping has a table of its keys, a key that is not in it or
 * comes twice is an error, null is as good as nothing. Functions return 0 or a negative errno, with a
 * line in `error`: "web.yml:3: ...".
 */
struct web_yaml {
	yaml_document_t document;
	const char *path; /* for messages */
	char *error;      /* HTTP_ERROR_BYTES */
};

/* Parses the first document of `text`; `path` and `error` are borrowed for as long as the reader lives.
 * web_yaml_close() after a success. */
int web_yaml_open(struct web_yaml *yaml, const char *text, size_t size, const char *path,
		  char *error);
void web_yaml_close(struct web_yaml *yaml);

/* NULL of an empty document. */
yaml_node_t *web_yaml_root(struct web_yaml *yaml);

/* Says what is wrong at a node; returns -EINVAL. */
int web_yaml_fail(struct web_yaml *yaml, const yaml_node_t *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts the value of a key where it belongs. `to` is the caller's. */
typedef int web_yaml_take(struct web_yaml *yaml, yaml_node_t *value, void *to);

struct web_yaml_key {
	const char *name;
	web_yaml_take *take; /* is called with `to` + offset; NULL: a key known and not supported */
	size_t offset;
};

/* A mapping with these keys. `what` is its name in messages. */
int web_yaml_mapping(struct web_yaml *yaml, yaml_node_t *node, const char *what,
		     const struct web_yaml_key *keys, size_t count, void *to);

/* A mapping of names to texts, or a sequence of texts with NULL names; each goes to `each`, borrowed. */
typedef int web_yaml_each(void *to, const char *name, const char *value);
int web_yaml_texts(struct web_yaml *yaml, yaml_node_t *node, const char *what,
		   yaml_node_type_t type, web_yaml_each *each, void *to);

/* Takers. A text replaces a char * that free() gets later; a boolean is YAML 1.1's. */
web_yaml_take web_yaml_text, web_yaml_bool;

#endif
