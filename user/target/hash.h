/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_TARGET_HASH_H
#define GENSCOPE_TARGET_HASH_H

#include <stdint.h>
#include <string.h>

/* For tables: multiply and fold, as wyhash does. */
static inline uint64_t hash_word(uint64_t hash, uint64_t word)
{
	unsigned __int128 product =
		(unsigned __int128)(hash ^ word ^ 0x9e3779b97f4a7c15) * 0xd6e8feb86659fd93;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Of an address: a number whose low bits are as good as any. */
static inline uint64_t hash_address(uint64_t address)
{
	return hash_word(0, address);
}

static inline uint64_t hash_text(uint64_t hash, const char *text)
{
	size_t size = strlen(text);
	uint64_t word;

	hash = hash_word(hash, size);
	for (; size >= sizeof(word); size -= sizeof(word), text += sizeof(word)) {
		memcpy(&word, text, sizeof(word));
		hash = hash_word(hash, word);
	}
	word = 0;
	memcpy(&word, text, size);
	return hash_word(hash, word);
}

#endif
