/* An MCP server over stdio that does next to nothing (see echo_answers.h).
 *
 *   echo [TOOLS [DELAY FILE]]
 *
 * It lists TOOLS tools (default 2, at least 2). All complete lines that one read brings are answered with one write. With DELAY,
 * it sleeps that many milliseconds at its start, and notes in FILE when it first answered a tools/list (CLOCK_MONOTONIC, in ms).
 */
#include <time.h>
#include <unistd.h>

#include "echo_answers.h"

static void flush(void) {
    for (size_t done = 0; done < out.length;) {
        ssize_t n = write(STDOUT_FILENO, out.data + done, out.length - done);
        if (n <= 0) exit(1);
        done += (size_t)n;
    }
    out.length = 0;
}

static void note_time(const char *name) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    FILE *file = fopen(name, "w");
    if (file) fprintf(file, "%.3f\n", (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6), fclose(file);
}

int main(int argc, char **argv) {
    int tools = argc > 1 ? atoi(argv[1]) : 2;
    const char *note = argc > 3 ? argv[3] : NULL;
    if (note) usleep((useconds_t)atoi(argv[2]) * 1000);
    make_list(tools < 2 ? 2 : tools);
    size_t room = 1 << 16, length = 0;
    char *in = malloc(room);
    for (;;) {
        if (length == room && !(in = realloc(in, room *= 2))) abort();
        ssize_t n = read(STDIN_FILENO, in + length, room - length);
        if (n <= 0) return 0;
        length += (size_t)n;
        char *start = in, *newline;
        while ((newline = memchr(start, '\n', length - (size_t)(start - in)))) {
            answer((Slice){start, (size_t)(newline - start)});
            start = newline + 1;
        }
        bool listed = note && out.length > list.length;
        flush();
        if (listed) note_time(note), note = NULL;
        length -= (size_t)(start - in);
        memmove(in, start, length);
    }
}
