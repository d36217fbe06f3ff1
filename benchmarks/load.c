/* An MCP client over stdio that measures what it starts, from the first byte sent to the last byte of the answer.
 *
 *   load latency CALLS -- CMD ARG…          one call after the other: percentiles, in microseconds
 *   load throughput CALLS FLIGHT -- CMD …   FLIGHT calls always under way: calls a second
 *   load memory CALLS FLIGHT -- CMD …       the same; resident memory of CMD's process after 10,000, 50,000 … CALLS
 *   load start -- CMD …                     from fork to the answer of the first tools/list, in milliseconds
 *   load blob BYTES TIMES -- CMD …          a tool result of that size, median of TIMES, in milliseconds
 *   load list TIMES -- CMD …                tools/list, median of TIMES, in milliseconds
 *
 * One JSON object on stdout. Every answer must bear the id that was asked (answers come in the order asked), be a result and not
 * say `isError`: anything else ends the run with status 1, so that a refusal never counts as speed.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "json_scan.h"

static int to_server, from_server;
static pid_t server;
static char *buffer; /* what was read and not yet taken: [taken, filled) */
static size_t taken, filled, room;
static const char *tool = "echo"; /* set by TOOL in the environment: the SDK's proxies may prefix names */

static void fail(const char *what, Slice line) {
    fprintf(stderr, "load: %s: %.*s\n", what, (int)(line.length < 400 ? line.length : 400), line.at ? line.at : "");
    kill(server, SIGTERM);
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void spawn(char **command) {
    int down[2], up[2];
    if (pipe(down) || pipe(up)) fail("pipe", (Slice){0});
    if ((server = fork()) == 0) {
        dup2(down[0], STDIN_FILENO);
        dup2(up[1], STDOUT_FILENO);
        close(down[0]), close(down[1]), close(up[0]), close(up[1]);
        execvp(command[0], command);
        perror(command[0]);
        _exit(127);
    }
    close(down[0]), close(up[1]);
    to_server = down[1], from_server = up[0];
    room = 1 << 20;
    buffer = malloc(room);
}

static void send_text(const char *text, size_t length) {
    while (length > 0) {
        ssize_t n = write(to_server, text, length);
        if (n <= 0) fail("the server is gone", (Slice){0});
        text += n, length -= (size_t)n;
    }
}

/* Waits for more bytes; `scanned` of those that are there hold no newline. */
static Slice next_line(void) {
    size_t scanned = taken;
    for (;;) {
        char *newline = memchr(buffer + scanned, '\n', filled - scanned);
        if (newline) {
            Slice line = {buffer + taken, (size_t)(newline - buffer) - taken};
            taken = (size_t)(newline - buffer) + 1;
            return line;
        }
        scanned = filled;
        if (filled == room) {
            memmove(buffer, buffer + taken, filled - taken);
            filled -= taken, scanned -= taken, taken = 0;
            if (filled > room / 2 && !(buffer = realloc(buffer, room *= 2))) abort();
        } else if (taken == filled) {
            taken = filled = scanned = 0;
        }
        ssize_t n = read(from_server, buffer + filled, room - filled);
        if (n <= 0) fail("the server is gone", (Slice){0});
        filled += (size_t)n;
    }
}

/* The answer to `id`: notifications and the server's own questions before it are passed over. */
static Slice result_of(int64_t id) {
    for (;;) {
        Slice line = next_line();
        if (member(line, "method").length) continue;
        Slice result = member(line, "result"), got = member(line, "id");
        if (!got.length || strtoll(got.at, NULL, 10) != id) fail("an answer out of turn", line);
        if (!result.length) fail("an error", line);
        return result;
    }
}

static void call_result(int64_t id) {
    Slice result = result_of(id);
    if (equals(member(result, "isError"), "true")) fail("a tool error", result);
    if (!member(result, "content").length) fail("no content", result);
}

static size_t write_call(char *into, size_t space, int64_t id) {
    return (size_t)snprintf(into, space,
        "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"method\":\"tools/call\",\"params\":{\"name\":\"%s\",\"arguments\":{\"path\":\"/srv/projects/"
        "apollo/notes/2026-03-14.md\",\"branch\":\"feature/landing\",\"text\":\"the quick brown fox jumps over the lazy dog\","
        "\"count\":%lld,\"recursive\":false}}}\n", (long long)id, tool, (long long)id);
}

static void send_call(int64_t id) {
    char text[512];
    send_text(text, write_call(text, sizeof text, id));
}

static void open_session(void) {
    static const char initialize[] =
        "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},"
        "\"clientInfo\":{\"name\":\"load\",\"version\":\"1\"}}}\n";
    static const char list[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}\n";
    static const char initialized[] = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n";
    send_text(initialize, sizeof initialize - 1);
    result_of(0);
    send_text(initialized, sizeof initialized - 1);
    send_text(list, sizeof list - 1);
    if (!member(result_of(1), "tools").length) fail("no tools", (Slice){0});
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

static int64_t id = 2; /* ids run on through the session, as a client's do */

static void latency(long calls) {
    long warm = calls / 10 < 2000 ? calls / 10 : 2000;
    for (long i = 0; i < warm; i++, id++) send_call(id), call_result(id);
    double *times = timings(calls);
    for (long i = 0; i < calls; i++, id++) {
        double start = now();
        send_call(id);
        call_result(id);
        times[i] = now() - start;
    }
    qsort(times, (size_t)calls, sizeof *times, by_size);
    printf("{\"p50\":%.2f,\"p99\":%.2f,\"p999\":%.2f,\"max\":%.2f}\n", times[calls / 2], times[calls * 99 / 100],
           times[calls * 999 / 1000], times[calls - 1]);
}

/* Calls go out in one write for all the answers that one read brought, as an event loop would send them. */
static void keep_flying(long calls, long flight) {
    char *text = malloc((size_t)flight * 512);
    int64_t last = id + calls, sent = id, answered = id;
    while (answered < last) {
        size_t length = 0;
        for (; sent < last && sent < answered + flight; sent++) length += write_call(text + length, 512, sent);
        if (length) send_text(text, length);
        do call_result(answered++);
        while (answered < last && taken < filled && memchr(buffer + taken, '\n', filled - taken));
    }
    id = last;
    free(text);
}

static void throughput(long calls, long flight) {
    keep_flying(calls / 10, flight);
    double start = now();
    keep_flying(calls, flight);
    printf("{\"calls_per_second\":%.0f}\n", (double)calls / (now() - start) * 1e6);
}

static long resident_kib(void) {
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", (int)server);
    FILE *status = fopen(path, "r");
    long kib = 0;
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "VmRSS: %ld", &kib) == 1) break;
    if (status) fclose(status);
    return kib;
}

static void memory(long calls, long flight) {
    long done = 0, marks[] = {1000, 10000, 50000, 100000, calls};
    printf("{");
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        if (marks[i] <= done || marks[i] > calls) continue;
        keep_flying(marks[i] - done, flight);
        printf("%s\"%ld\":%ld", done ? "," : "", marks[i], resident_kib());
        done = marks[i];
    }
    printf("}\n");
}

/* One large answer: the clock stops at its last byte, what this client does with it is not measured. */
static double time_answer(const char *request, size_t length) {
    double start = now();
    send_text(request, length);
    Slice line = next_line();
    while (line.length < 1000 && member(line, "method").length) line = next_line(); /* a notice came first */
    double took = now() - start;
    Slice result = member(line, "result");
    if (!result.length || equals(member(result, "isError"), "true")) fail("an error", line);
    return took;
}

static void large(const char *form, long bytes, long count) {
    double *times = timings(count);
    char text[256];
    for (long i = -1; i < count; i++, id++) { /* the first is for warming up */
        double took = time_answer(text, (size_t)snprintf(text, sizeof text, form, (long long)id, bytes));
        if (i >= 0) times[i] = took;
    }
    qsort(times, (size_t)count, sizeof *times, by_size);
    printf("{\"ms\":%.3f}\n", times[count / 2] / 1e3);
}

static const char a_list[] = "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"method\":\"tools/list\"}\n";
static const char a_blob[] =
    "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"method\":\"tools/call\",\"params\":{\"name\":\"blob\",\"arguments\":{\"bytes\":%ld}}}\n";

int main(int argc, char **argv) {
    int dash = 1;
    while (dash < argc && strcmp(argv[dash], "--")) dash++;
    if (argc < 2 || dash + 1 >= argc) return fprintf(stderr, "usage: load MODE [NUMBER]… -- CMD ARG…\n"), 2;
    long first = dash > 2 ? atol(argv[2]) : 1, second = dash > 3 ? atol(argv[3]) : 1;
    if (getenv("TOOL")) tool = getenv("TOOL");
    signal(SIGPIPE, SIG_IGN);
    alarm(300);
    double start = now();
    spawn(argv + dash + 1);
    open_session();
    if (!strcmp(argv[1], "start")) printf("{\"ms\":%.3f}\n", (now() - start) / 1e3);
    else if (!strcmp(argv[1], "latency")) latency(first);
    else if (!strcmp(argv[1], "throughput")) throughput(first, second);
    else if (!strcmp(argv[1], "memory")) memory(first, second);
    else if (!strcmp(argv[1], "blob")) large(a_blob, first, second);
    else if (!strcmp(argv[1], "list")) large(a_list, 0, first);
    else return fprintf(stderr, "load: no mode %s\n", argv[1]), 2;
    fflush(stdout);
    close(to_server);
    int status;
    while (waitpid(server, &status, 0) < 0 && errno == EINTR) {}
    return 0;
}
