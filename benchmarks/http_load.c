/* An MCP client over streamable HTTP that measures the server it is pointed to, from the first byte sent to the last of the
 * answer. One session; a connection for each call under way, all of them kept.
 *
 *   http_load latency CALLS PORT PATH           one call after the other: percentiles, in microseconds
 *   http_load throughput CALLS FLIGHT PORT PATH FLIGHT calls always under way: calls a second
 *   http_load memory CALLS PID PORT PATH        resident memory of process PID after 1,000, 10,000 … CALLS, in KiB
 *   http_load list TIMES PORT PATH              tools/list, median of TIMES, in milliseconds
 *
 * One JSON object on stdout. Every answer must bear the id that was asked, be a result and not say `isError`: anything else ends
 * the run with status 1, so that a refusal never counts as speed. An answer may be a JSON body or a stream of events.
 */
#define _GNU_SOURCE /* memmem */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "json_scan.h"

typedef struct {
    int fd;
    int64_t id;   /* of the call under way */
    char *data;   /* what has come of the response */
    size_t length, room;
} Connection;

static int port;
static const char *path;
static const char *tool = "echo"; /* set by TOOL in the environment: a proxy may prefix names */
static char session[256];         /* the header that names the session, once there is one */
static int64_t next_id = 2;

static void fail(const char *what, Slice text) {
    fprintf(stderr, "http_load: %s: %.*s\n", what, (int)(text.length < 600 ? text.length : 600), text.at ? text.at : "");
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static Connection connected(void) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) fail("cannot connect", (Slice){0});
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return (Connection){.fd = fd, .data = malloc(1 << 16), .room = 1 << 16};
}

static void post(Connection *on, const char *body, size_t length) {
    char text[4096];
    size_t size = (size_t)snprintf(text, sizeof text,
        "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
        "MCP-Protocol-Version: 2025-11-25\r\n%sContent-Length: %zu\r\n\r\n%.*s", path, port, session, length, (int)length, body);
    for (size_t done = 0; done < size;) {
        ssize_t n = write(on->fd, text + done, size - done);
        if (n <= 0) fail("the server is gone", (Slice){0});
        done += (size_t)n;
    }
    on->length = 0;
}

/* The value of a header of the response, or an empty slice. */
static Slice header(Slice head, const char *name) {
    size_t wanted = strlen(name);
    for (const char *p = head.at; p && p < head.at + head.length; p = memchr(p, '\n', (size_t)(head.at + head.length - p))) {
        if (*p == '\n') p++;
        if ((size_t)(head.at + head.length - p) <= wanted) break;
        if (strncasecmp(p, name, wanted) || p[wanted] != ':') continue;
        const char *value = p + wanted + 1, *end = memchr(value, '\r', (size_t)(head.at + head.length - value));
        while (*value == ' ') value++;
        return (Slice){value, (size_t)((end ? end : head.at + head.length) - value)};
    }
    return (Slice){0};
}

/* The body of a chunked response, put together where it stands. */
static Slice dechunk(char *from, char *end) {
    char *to = from, *start = from;
    while (from < end) {
        size_t size = strtoul(from, &from, 16);
        from += 2;
        if (!size) break;
        memmove(to, from, size);
        to += size, from += size + 2;
    }
    return (Slice){start, (size_t)(to - start)};
}

/* The answer among the events of a stream. */
static Slice answer_in(Slice events) {
    Slice found = {0};
    for (const char *p = events.at, *end = p + events.length; p && p < end;) {
        const char *line_end = memchr(p, '\n', (size_t)(end - p));
        size_t length = (size_t)((line_end ? line_end : end) - p);
        if (length > 5 && !strncmp(p, "data:", 5)) {
            Slice data = {p + 5, length - 5};
            if (member(data, "id").length && !member(data, "method").length) found = data;
        }
        p = line_end ? line_end + 1 : NULL;
    }
    return found;
}

/* Whether the whole response is there; then `body` is the message in it. */
static bool complete(Connection *on, Slice *body) {
    char *blank = memmem(on->data, on->length, "\r\n\r\n", 4);
    if (!blank) return false;
    Slice head = {on->data, (size_t)(blank - on->data) + 2};
    if (head.length < 12 || on->data[9] != '2') fail("an HTTP error", (Slice){on->data, on->length});
    char *content = blank + 4, *end = on->data + on->length;
    Slice length = header(head, "content-length"), id = header(head, "mcp-session-id");
    if (id.length && !*session) snprintf(session, sizeof session, "Mcp-Session-Id: %.*s\r\n", (int)id.length, id.at);
    if (length.length) {
        size_t wanted = strtoul(length.at, NULL, 10);
        if ((size_t)(end - content) < wanted) return false;
        *body = (Slice){content, wanted};
    } else if (header(head, "transfer-encoding").length) {
        if (end - content < 5 || memcmp(end - 5, "0\r\n\r\n", 5)) return false;
        *body = dechunk(content, end);
    } else {
        *body = (Slice){content, 0};
        if (on->data[9] == '2' && on->data[10] == '0' && on->data[11] == '0') fail("a body without a length", head);
    }
    if (body->length && *body->at != '{') *body = answer_in(*body);
    return true;
}

static bool read_some(Connection *on, Slice *body) {
    if (on->room - on->length < 1 << 15 && !(on->data = realloc(on->data, on->room *= 2))) abort();
    ssize_t n = read(on->fd, on->data + on->length, on->room - on->length);
    if (n <= 0) fail("the server is gone", (Slice){on->data, on->length});
    on->length += (size_t)n;
    return complete(on, body);
}

static Slice response(Connection *on) {
    Slice body;
    while (!read_some(on, &body)) {}
    return body;
}

static Slice result_of(Slice body, int64_t id) {
    Slice result = member(body, "result"), got = member(body, "id");
    if (!got.length || strtoll(got.at, NULL, 10) != id) fail("not the answer", body);
    if (!result.length) fail("an error", body);
    return result;
}

static void call_result(Slice body, int64_t id) {
    Slice result = result_of(body, id);
    if (equals(member(result, "isError"), "true")) fail("a tool error", result);
    if (!member(result, "content").length) fail("no content", result);
}

static void post_call(Connection *on) {
    char text[1024];
    on->id = next_id++;
    post(on, text, (size_t)snprintf(text, sizeof text,
        "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"method\":\"tools/call\",\"params\":{\"name\":\"%s\",\"arguments\":{\"path\":\"/srv/projects/"
        "apollo/notes/2026-03-14.md\",\"branch\":\"feature/landing\",\"text\":\"the quick brown fox jumps over the lazy dog\","
        "\"count\":%lld,\"recursive\":false}}}", (long long)on->id, tool, (long long)on->id));
}

static Slice ask(Connection *on, const char *body) {
    post(on, body, strlen(body));
    return response(on);
}

static void open_session(Connection *on) {
    result_of(ask(on, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\","
        "\"capabilities\":{},\"clientInfo\":{\"name\":\"load\",\"version\":\"1\"}}}"), 0);
    ask(on, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
    if (!member(result_of(ask(on, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}"), 1), "tools").length)
        fail("no tools", (Slice){0});
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double *timings(long count) {
    double *times = calloc((size_t)count, sizeof *times);
    if (!times) abort();
    return times;
}

static double one_call(Connection *on) {
    double start = now();
    post_call(on);
    call_result(response(on), on->id);
    return now() - start;
}

static void latency(Connection *on, long calls) {
    long warm = calls / 10 < 2000 ? calls / 10 : 2000;
    for (long i = 0; i < warm; i++) one_call(on);
    double *times = timings(calls);
    for (long i = 0; i < calls; i++) times[i] = one_call(on);
    qsort(times, (size_t)calls, sizeof *times, by_size);
    printf("{\"p50\":%.2f,\"p99\":%.2f,\"p999\":%.2f,\"max\":%.2f}\n", times[calls / 2], times[calls * 99 / 100],
           times[calls * 999 / 1000], times[calls - 1]);
}

static void throughput(long calls, long flight) {
    Connection *all = calloc((size_t)flight, sizeof *all);
    struct pollfd *watched = calloc((size_t)flight, sizeof *watched);
    for (long i = 0; i < flight; i++) all[i] = connected(), watched[i] = (struct pollfd){.fd = all[i].fd, .events = POLLIN};
    double start = now();
    for (long i = 0; i < flight; i++) post_call(&all[i]);
    for (long answered = 0, sent = flight; answered < calls;) {
        if (poll(watched, (nfds_t)flight, 30000) <= 0) fail("nothing for 30 s", (Slice){0});
        for (long i = 0; i < flight; i++) {
            Slice body;
            if (!watched[i].revents || !read_some(&all[i], &body)) continue;
            call_result(body, all[i].id);
            answered++;
            if (sent < calls) post_call(&all[i]), sent++;
            else watched[i].fd = -1;
        }
    }
    printf("{\"calls_per_second\":%.0f}\n", (double)calls / (now() - start) * 1e6);
}

static long resident_kib(long pid) {
    char name[64], line[256];
    snprintf(name, sizeof name, "/proc/%ld/status", pid);
    FILE *status = fopen(name, "r");
    long kib = 0;
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "VmRSS: %ld", &kib) == 1) break;
    if (status) fclose(status);
    return kib;
}

static void memory(Connection *on, long calls, long pid) {
    long done = 0, marks[] = {1000, 10000, 50000, 100000, calls};
    printf("{");
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        if (marks[i] <= done || marks[i] > calls) continue;
        for (; done < marks[i]; done++) one_call(on);
        printf("%s\"%ld\":%ld", i ? "," : "", marks[i], resident_kib(pid));
    }
    printf("}\n");
}

static void list(Connection *on, long count) {
    double *times = timings(count);
    for (long i = -1; i < count; i++) { /* the first is for warming up */
        char text[128];
        snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"method\":\"tools/list\"}", (long long)next_id);
        double start = now();
        result_of(ask(on, text), next_id++);
        if (i >= 0) times[i] = now() - start;
    }
    qsort(times, (size_t)count, sizeof *times, by_size);
    printf("{\"ms\":%.3f}\n", times[count / 2] / 1e3);
}

int main(int argc, char **argv) {
    bool two = argc > 1 && (!strcmp(argv[1], "throughput") || !strcmp(argv[1], "memory"));
    if (argc != 5 + two) return fprintf(stderr, "usage: http_load MODE NUMBER… PORT PATH\n"), 2;
    long first = atol(argv[2]), second = two ? atol(argv[3]) : 0;
    port = atoi(argv[3 + two]), path = argv[4 + two];
    if (getenv("TOOL")) tool = getenv("TOOL");
    alarm(300);
    Connection on = connected();
    open_session(&on);
    if (!strcmp(argv[1], "latency")) latency(&on, first);
    else if (!strcmp(argv[1], "throughput")) throughput(first, second);
    else if (!strcmp(argv[1], "memory")) memory(&on, first, second);
    else if (!strcmp(argv[1], "list")) list(&on, first);
    else return fprintf(stderr, "http_load: no mode %s\n", argv[1]), 2;
    return 0;
}
