/* header_timeout.h - a request's head must be here within a time, however slowly its bytes keep coming: libmicrohttpd's own limit is for
 * connections on which nothing moves at all, and a client that sends a byte now and then would hold its place for ever. */
#ifndef TRINE_SERVER_HEADER_TIMEOUT_H
#define TRINE_SERVER_HEADER_TIMEOUT_H

#include <trine.h>

typedef struct header_timeout header_timeout;
typedef struct waiting_connection waiting_connection;

/* Watches connections in a thread of its own; those that have no whole head of a request after `seconds` are shut. */
trine_status header_timeout_open(header_timeout **out, int seconds, trine_error *err);
void header_timeout_close(header_timeout *t); /* after the last connection has gone; NULL is fine */

/* A connection that is new, which waits for a request; NULL when there is no memory: it is not watched then. */
waiting_connection *header_timeout_add(header_timeout *t, int fd);
/* Before its socket is closed. NULL is fine, here and below. */
void header_timeout_remove(header_timeout *t, waiting_connection *c);
/* A request has begun (true), or has ended and the next is waited for. */
void header_timeout_set(header_timeout *t, waiting_connection *c, bool has_request);

#endif
