// SPDX-License-Identifier: MIT
#include "model/names.h"

#include <errno.h>
#include <string.h>

#include "model/histogram.h"
#include "records.h"

static const char *const kinds[KIND_COUNT] = {
	[KIND_NONE] = "",
	[KIND_GENERATOR] = "generator",
	[KIND_COROUTINE] = "coroutine",
	[KIND_ASYNC_GENERATOR] = "async_generator",
};

static const char *const states[KIND_COUNT][STATE_COUNT] = {
	[KIND_NONE] = { "", "", "", "", "" },
	[KIND_GENERATOR] = { "", "GEN_CREATED", "GEN_RUNNING", "GEN_SUSPENDED", "GEN_CLOSED" },
	[KIND_COROUTINE] = { "", "CORO_CREATED", "CORO_RUNNING", "CORO_SUSPENDED", "CORO_CLOSED" },
	[KIND_ASYNC_GENERATOR] = { "", "AGEN_CREATED", "AGEN_RUNNING", "AGEN_SUSPENDED",
				   "AGEN_CLOSED" },
};

static const char *const vias[VIA_COUNT] = {
	[VIA_UNKNOWN] = "unknown", [VIA_CREATE] = "create",     [VIA_NEXT] = "next",
	[VIA_SEND] = "send",       [VIA_THROW] = "throw",       [VIA_CLOSE] = "close",
	[VIA_AWAIT] = "await",     [VIA_FOR] = "for",           [VIA_YIELD_FROM] = "yield_from",
	[VIA_ANEXT] = "anext",     [VIA_ASEND] = "asend",       [VIA_ATHROW] = "athrow",
	[VIA_ACLOSE] = "aclose",   [VIA_FINALIZE] = "finalize", [VIA_YIELD] = "yield",
	[VIA_RETURN] = "return",   [VIA_RAISE] = "raise",       [VIA_FREE] = "free",
};

static const char *const metrics[METRIC_COUNT] = {
	[METRIC_RUN] = "run",     [METRIC_SELF] = "self",         [METRIC_SUSPENDED] = "suspended",
	[METRIC_START] = "start", [METRIC_LIFETIME] = "lifetime",
};

const char *name_of_kind(uint8_t kind)
{
	return kind < KIND_COUNT ? kinds[kind] : "";
}

const char *name_of_state(uint8_t kind, uint8_t state)
{
	return kind < KIND_COUNT && state < STATE_COUNT ? states[kind][state] : "";
}

const char *name_of_via(uint8_t via)
{
	return via < VIA_COUNT ? vias[via] : "unknown";
}

const char *name_of_metric(unsigned metric)
{
	return metric < METRIC_COUNT ? metrics[metric] : "";
}

unsigned kind_of_name(const char *name)
{
	for (unsigned kind = KIND_GENERATOR; kind < KIND_COUNT; kind++)
		if (!strcmp(name, kinds[kind]))
			return 1u << kind;
	return 0;
}

int index_of_name(const char *const *words, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(name, words[i]))
			return (int)i;
	return -EINVAL;
}

int metric_of_name(const char *name)
{
	return index_of_name(metrics, METRIC_COUNT, name);
}
