/* Just enough JSON to find a member of an object: slices of the text, nothing decoded, nothing allocated.
 * The text is trusted to be JSON (both ends of the benchmark write it), only its length is not.
 */
#ifndef JSON_SCAN_H
#define JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef struct {
    const char *at;
    size_t length;
} Slice;

static const char *skip_space(const char *p, const char *end) {
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) p++;
    return p;
}

/* `p` stands on the opening quote; returns the place after the closing one. */
static const char *skip_string(const char *p, const char *end) {
    for (p++; p < end; p++) {
        if (*p == '\\') p++;
        else if (*p == '"') return p + 1;
    }
    return end;
}

static const char *skip_value(const char *p, const char *end) {
    int depth = 0;
    do {
        p = skip_space(p, end);
        if (p >= end) return end;
        if (*p == '"') p = skip_string(p, end);
        else if (*p == '{' || *p == '[') depth++, p++;
        else if (*p == '}' || *p == ']') depth--, p++;
        else if (*p == ',' || *p == ':') p++;
        else while (p < end && !strchr(",:]} \t\r\n", *p)) p++;
    } while (depth > 0);
    return p;
}

/* The value of `name` in the object that `object` starts with; an empty slice where there is none. */
static Slice member(Slice object, const char *name) {
    const char *p = object.at, *end = object.at + object.length;
    size_t wanted = strlen(name);
    p = skip_space(p, end);
    if (p >= end || *p != '{') return (Slice){0};
    for (p++;;) {
        p = skip_space(p, end);
        if (p >= end || *p != '"') return (Slice){0};
        const char *key = p + 1;
        p = skip_string(p, end);
        bool found = (size_t)(p - 1 - key) == wanted && memcmp(key, name, wanted) == 0;
        p = skip_space(p, end);
        const char *value = skip_space(p + 1, end);
        p = skip_value(value, end);
        if (found) return (Slice){value, (size_t)(p - value)};
        p = skip_space(p, end);
        if (p >= end || *p != ',') return (Slice){0};
        p++;
    }
}

static bool equals(Slice slice, const char *text) {
    return slice.length == strlen(text) && memcmp(slice.at, text, slice.length) == 0;
}

#endif
