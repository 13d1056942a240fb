// SPDX-License-Identifier: MIT
#include "http/web_yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int web_yaml_open(struct web_yaml *yaml, const char *text, size_t size, const char *path,
		  char *error)
{
	yaml_parser_t parser;
	int err = 0;

	*yaml = (struct web_yaml){ .path = path, .error = error };
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
	if (!yaml_parser_load(&parser, &yaml->document)) {
		err = parser.error == YAML_MEMORY_ERROR ? -ENOMEM : -EINVAL;
		snprintf(error, HTTP_ERROR_BYTES, "%s:%zu: not YAML: %s", path,
			 parser.problem_mark.line + 1,
			 parser.problem ? parser.problem : "cannot be read");
	}
	yaml_parser_delete(&parser);
	return err;
}

void web_yaml_close(struct web_yaml *yaml)
{
	yaml_document_delete(&yaml->document);
}

yaml_node_t *web_yaml_root(struct web_yaml *yaml)
{
	return yaml_document_get_root_node(&yaml->document);
}

int web_yaml_fail(struct web_yaml *yaml, const yaml_node_t *at, const char *format, ...)
{
	int used = snprintf(yaml->error, HTTP_ERROR_BYTES, "%s:%zu: ", yaml->path,
			    at->start_mark.line + 1);
	va_list args;

	if (used < 0 || used >= HTTP_ERROR_BYTES)
		return -EINVAL;
	va_start(args, format);
	vsnprintf(yaml->error + used, HTTP_ERROR_BYTES - (size_t)used, format, args);
	va_end(args);
	return -EINVAL;
}

/* NULL if it is no scalar, or one with a NUL inside. */
static const char *scalar(const yaml_node_t *node)
{
	const char *text = (const char *)node->data.scalar.value;

	if (node->type != YAML_SCALAR_NODE || strlen(text) != node->data.scalar.length)
		return NULL;
	return text;
}

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (!strcmp(text, *words))
			return true;
	return false;
}

static bool is_null(const yaml_node_t *node)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
	const char *text = scalar(node);

	return text && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && is_one_of(text, nulls);
}

/* An earlier key of the mapping with the same text? */
static bool is_repeated(struct web_yaml *yaml, const yaml_node_t *mapping,
			const yaml_node_pair_t *pair, const char *name)
{
	for (const yaml_node_pair_t *before = mapping->data.mapping.pairs.start; before < pair;
	     before++) {
		yaml_node_t *key = yaml_document_get_node(&yaml->document, before->key);
		const char *text = key ? scalar(key) : NULL;

		if (text && !strcmp(text, name))
			return true;
	}
	return false;
}

/* The key of a pair of a mapping, and its value; NULL after saying what is wrong. */
static const char *read_pair(struct web_yaml *yaml, const yaml_node_t *mapping,
			     const yaml_node_pair_t *pair, const char *what, yaml_node_t **value)
{
	yaml_node_t *key = yaml_document_get_node(&yaml->document, pair->key);
	const char *name = key ? scalar(key) : NULL;

	*value = yaml_document_get_node(&yaml->document, pair->value);
	if (!name || !*value) {
		web_yaml_fail(yaml, key ? key : mapping, "a key of %s is not a word", what);
		return NULL;
	}
	if (is_repeated(yaml, mapping, pair, name)) {
		web_yaml_fail(yaml, key, "%s has %s twice", what, name);
		return NULL;
	}
	return name;
}

static int take_key(struct web_yaml *yaml, const yaml_node_t *mapping, const yaml_node_pair_t *pair,
		    const char *what, const struct web_yaml_key *keys, size_t count, char *to)
{
	const struct web_yaml_key *key = keys;
	yaml_node_t *value;
	const char *name = read_pair(yaml, mapping, pair, what, &value);

	if (!name)
		return -EINVAL;
	while (key < keys + count && strcmp(key->name, name))
		key++;
	if (key == keys + count)
		return web_yaml_fail(yaml, value, "%s has no key %s: check its spelling", what,
				     name);
	if (!key->take)
		return web_yaml_fail(yaml, value, "%s is not supported: remove it", name);
	return is_null(value) ? 0 : key->take(yaml, value, to + key->offset);
}

int web_yaml_mapping(struct web_yaml *yaml, yaml_node_t *node, const char *what,
		     const struct web_yaml_key *keys, size_t count, void *to)
{
	int err = 0;

	if (is_null(node))
		return 0;
	if (node->type != YAML_MAPPING_NODE)
		return web_yaml_fail(yaml, node, "%s is not a mapping of keys to values", what);
	for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	     !err && pair < node->data.mapping.pairs.top; pair++)
		err = take_key(yaml, node, pair, what, keys, count, to);
	return err;
}

static int take_text(struct web_yaml *yaml, const yaml_node_t *node, const char *what,
		     const char *name, web_yaml_each *each, void *to)
{
	const char *text = scalar(node);
	int err;

	if (!text)
		return web_yaml_fail(yaml, node, "a value of %s is not a text", what);
	err = each(to, name, is_null(node) ? "" : text);
	return err == -ENOMEM ? web_yaml_fail(yaml, node, "out of memory") : err;
}

static int take_pairs(struct web_yaml *yaml, const yaml_node_t *node, const char *what,
		      web_yaml_each *each, void *to)
{
	const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	int err = 0;

	for (; !err && pair < node->data.mapping.pairs.top; pair++) {
		yaml_node_t *value;
		const char *name = read_pair(yaml, node, pair, what, &value);

		err = name ? take_text(yaml, value, what, name, each, to) : -EINVAL;
	}
	return err;
}

static int take_items(struct web_yaml *yaml, const yaml_node_t *node, const char *what,
		      web_yaml_each *each, void *to)
{
	const yaml_node_item_t *item = node->data.sequence.items.start;
	int err = 0;

	for (; !err && item < node->data.sequence.items.top; item++) {
		const yaml_node_t *value = yaml_document_get_node(&yaml->document, *item);

		err = value ? take_text(yaml, value, what, NULL, each, to) :
			      web_yaml_fail(yaml, node, "%s cannot be read", what);
	}
	return err;
}

int web_yaml_texts(struct web_yaml *yaml, yaml_node_t *node, const char *what,
		   yaml_node_type_t type, web_yaml_each *each, void *to)
{
	if (type == YAML_MAPPING_NODE && node->type == type)
		return take_pairs(yaml, node, what, each, to);
	if (type == YAML_SEQUENCE_NODE && node->type == type)
		return take_items(yaml, node, what, each, to);
	return web_yaml_fail(yaml, node, "%s is not a %s", what,
			     type == YAML_MAPPING_NODE ? "mapping of keys to values" : "list");
}

int web_yaml_text(struct web_yaml *yaml, yaml_node_t *value, void *to)
{
	const char *text = scalar(value);
	char **out = to;

	if (!text)
		return web_yaml_fail(yaml, value, "not a text");
	free(*out);
	*out = strdup(text);
	return *out ? 0 : web_yaml_fail(yaml, value, "out of memory");
}

int web_yaml_bool(struct web_yaml *yaml, yaml_node_t *value, void *to)
{
	static const char *const yes[] = { "true", "True", "TRUE", "yes", "Yes", "YES",
					   "on",   "On",   "ON",   "y",   "Y",   NULL };
	static const char *const no[] = { "false", "False", "FALSE", "no", "No", "NO",
					  "off",   "Off",   "OFF",   "n",  "N",  NULL };
	const char *text = scalar(value);

	if (!text || (!is_one_of(text, yes) && !is_one_of(text, no)))
		return web_yaml_fail(yaml, value, "neither true nor false");
	*(bool *)to = is_one_of(text, yes);
	return 0;
}
