// SPDX-License-Identifier: MIT
/*
 * Criterion shows differences by libgit2, which on Debian 12 reads every certificate that the machine
 * trusts when it starts, and it starts anew in each test's process: a fifth of all the tests' time. It goes
 * on without them (libgit2 1.5, src/libgit2/streams/mbedtls.c), and no test asks it for anything by HTTPS.
 */

struct mbedtls_x509_crt;

/* In place of libmbedx509's, by its own name (mbedtls 2.28, mbedtls/x509_crt.h): a path that cannot be
 * read. */
int mbedtls_x509_crt_parse_file(struct mbedtls_x509_crt *chain, const char *path);

#define MBEDTLS_ERR_X509_FILE_IO_ERROR (-0x2900)

int mbedtls_x509_crt_parse_file(struct mbedtls_x509_crt *chain, const char *path)
{
	(void)chain, (void)path;
	return MBEDTLS_ERR_X509_FILE_IO_ERROR;
}
