/* What the bench's servers answer, whatever carries it: tools that do next to nothing, so that what stands in front of them
 * is what gets measured. `echo` answers with its argument `text`, `blob` with as many bytes as its argument `bytes` says; all
 * other tools only lengthen the list. Answers are gathered in `out`, each followed by a newline.
 */
#ifndef ECHO_ANSWERS_H
#define ECHO_ANSWERS_H

#include <stdio.h>
#include <stdlib.h>

#include "json_scan.h"

static struct {
    char *data;
    size_t length, room;
} out;

static Slice list; /* the array of tools, made once */

static void reserve(size_t more) {
    if (out.length + more <= out.room) return;
    while (out.room < out.length + more) out.room = out.room ? out.room * 2 : 1 << 16;
    if (!(out.data = realloc(out.data, out.room))) abort();
}

static void put(const char *at, size_t length) {
    reserve(length);
    memcpy(out.data + out.length, at, length);
    out.length += length;
}

static void say(const char *text) { put(text, strlen(text)); }
static void copy(Slice slice) { put(slice.at, slice.length); }

/* Tools as servers really describe them: 1.8 KB each, most of it prose and schema. */
static void make_list(int tools) {
    static const char *const prose =
        "Reads, checks and changes one record of the store that its name says. Give the identifier of the record, and the fields "
        "that should change; what is not given stays as it is. Fails where the record does not exist or is locked by another. ";
    static const char *const declared[][2] = { /* what `load` calls `echo` with */
        {"path", "string"}, {"branch", "string"}, {"text", "string"}, {"count", "integer"}, {"recursive", "boolean"}};
    say("[");
    for (int i = 0; i < tools; i++) {
        char name[32];
        if (i < 2) snprintf(name, sizeof name, "%s", i ? "blob" : "echo");
        else snprintf(name, sizeof name, "record_%04d", i);
        say(i ? ",{\"name\":\"" : "{\"name\":\"");
        say(name);
        say("\",\"title\":\"");
        say(name);
        say("\",\"description\":\"");
        for (int n = 0; n < 3; n++) say(prose);
        say("\",\"inputSchema\":{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"type\":\"object\",\"properties\":{");
        for (int n = 0; n < 5; n++) {
            char field[128];
            snprintf(field, sizeof field, "%s\"%s\":{\"type\":\"%s\",\"description\":\"", n ? "," : "", declared[n][0], declared[n][1]);
            say(field);
            say("One field of the record, as text; at most a thousand characters, no markup, and never empty where given.\"}");
        }
        say("},\"additionalProperties\":true},\"annotations\":{\"readOnlyHint\":true,\"openWorldHint\":false}}");
    }
    say("]");
    list = (Slice){out.data, out.length};
    out.data = NULL;
    out.length = out.room = 0;
}

static void call(Slice params) {
    Slice name = member(params, "name"), arguments = member(params, "arguments");
    say("{\"content\":[{\"type\":\"text\",\"text\":");
    if (equals(name, "\"blob\"")) {
        Slice bytes = member(arguments, "bytes");
        size_t wanted = bytes.length ? strtoul(bytes.at, NULL, 10) : 0;
        say("\"");
        reserve(wanted);
        memset(out.data + out.length, 'x', wanted);
        out.length += wanted;
        say("\"");
    } else {
        Slice text = member(arguments, "text");
        if (text.length) copy(text);
        else say("\"\"");
    }
    say("}],\"isError\":false}");
}

static void answer(Slice message) {
    Slice id = member(message, "id"), method = member(message, "method"), params = member(message, "params");
    if (!id.length || !method.length) return;
    say("{\"jsonrpc\":\"2.0\",\"id\":");
    copy(id);
    if (equals(method, "\"tools/call\"")) {
        say(",\"result\":");
        call(params);
    } else if (equals(method, "\"initialize\"")) {
        say(",\"result\":{\"protocolVersion\":");
        copy(member(params, "protocolVersion"));
        say(",\"capabilities\":{\"tools\":{}},\"serverInfo\":{\"name\":\"echo\",\"version\":\"1\"}}");
    } else if (equals(method, "\"tools/list\"")) {
        say(",\"result\":{\"tools\":");
        copy(list);
        say("}");
    } else if (equals(method, "\"ping\"")) {
        say(",\"result\":{}");
    } else {
        say(",\"error\":{\"code\":-32601,\"message\":\"Method not found\"}");
    }
    say("}\n");
}

#endif
