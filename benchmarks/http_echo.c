/* The same server over streamable HTTP (see echo_answers.h): JSON bodies, kept connections, any number of them.
 *
 *   http_echo [TOOLS]
 *
 * Listens on a free loopback port, at any path, and prints the port as one line.
 */
#define _GNU_SOURCE /* memmem */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "echo_answers.h"

enum { MOST = 256 };

static struct {
    char *data;
    size_t length, room;
} in[MOST]; /* what a connection has said and what is not answered yet */

static struct pollfd watched[MOST]; /* the listener, then the connections */
static nfds_t count = 1;

static bool send_all(int to, const char *head, size_t head_length) {
    struct iovec parts[] = {{(void *)head, head_length}, {out.data, out.length}};
    size_t left = head_length + out.length;
    while (left > 0) {
        ssize_t n = writev(to, parts, 2);
        if (n <= 0) return false;
        left -= (size_t)n;
        for (int i = 0; i < 2; i++) {
            size_t gone = (size_t)n < parts[i].iov_len ? (size_t)n : parts[i].iov_len;
            parts[i].iov_base = (char *)parts[i].iov_base + gone, parts[i].iov_len -= gone, n -= (ssize_t)gone;
        }
    }
    return true;
}

static bool reply(int to, Slice body, bool posted) {
    char head[256];
    out.length = 0;
    if (posted) answer(body);
    const char *status = !posted ? "405 Method Not Allowed" : out.length ? "200 OK" : "202 Accepted";
    int length = snprintf(head, sizeof head,
        "HTTP/1.1 %s\r\nContent-Type: application/json\r\nMcp-Session-Id: bench\r\nContent-Length: %zu\r\n\r\n", status, out.length);
    return send_all(to, head, (size_t)length);
}

/* The value of Content-Length in the head of a request; 0 where it has none. */
static size_t length_of(const char *head, const char *end) {
    static const char name[] = "\r\ncontent-length:";
    for (const char *p = head; p + sizeof name < end; p++)
        if (*p == '\r' && !strncasecmp(p, name, sizeof name - 1)) return strtoul(p + sizeof name - 1, NULL, 10);
    return 0;
}

/* Answers every whole request that is there. False: the connection is of no more use. */
static bool take(nfds_t which) {
    char *start = in[which].data, *end = start + in[which].length;
    for (;;) {
        char *blank = memmem(start, (size_t)(end - start), "\r\n\r\n", 4);
        if (!blank) break;
        size_t length = length_of(start, blank + 2);
        if ((size_t)(end - blank - 4) < length) break;
        if (!reply(watched[which].fd, (Slice){blank + 4, length}, !strncmp(start, "POST", 4))) return false;
        start = blank + 4 + length;
    }
    in[which].length = (size_t)(end - start);
    memmove(in[which].data, start, in[which].length);
    return true;
}

static bool read_more(nfds_t which) {
    if (in[which].room - in[which].length < 1 << 15) {
        in[which].room = in[which].room ? in[which].room * 2 : 1 << 16;
        if (!(in[which].data = realloc(in[which].data, in[which].room))) abort();
    }
    ssize_t n = read(watched[which].fd, in[which].data + in[which].length, in[which].room - in[which].length);
    if (n <= 0) return false;
    in[which].length += (size_t)n;
    return take(which);
}

static void forget(nfds_t which) {
    close(watched[which].fd);
    free(in[which].data);
    count--;
    watched[which] = watched[count], in[which] = in[count];
    memset(&in[count], 0, sizeof in[count]);
}

static void greet(void) {
    int one = 1, connection = accept(watched[0].fd, NULL, NULL);
    if (connection < 0 || count == MOST) return;
    setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    watched[count++] = (struct pollfd){.fd = connection, .events = POLLIN};
}

int main(int argc, char **argv) {
    int tools = argc > 1 ? atoi(argv[1]) : 2;
    make_list(tools < 2 ? 2 : tools);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    watched[0] = (struct pollfd){.fd = socket(AF_INET, SOCK_STREAM, 0), .events = POLLIN};
    if (bind(watched[0].fd, (struct sockaddr *)&address, size) || listen(watched[0].fd, MOST)) return perror("listen"), 1;
    getsockname(watched[0].fd, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    while (poll(watched, count, -1) > 0) {
        for (nfds_t i = count; i-- > 1;)
            if (watched[i].revents && !read_more(i)) forget(i);
        if (watched[0].revents) greet();
    }
    return 1;
}
