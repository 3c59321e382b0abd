#define _POSIX_C_SOURCE 200809L
#include "line.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void misuse(const char *what, const char *detail) {
    fprintf(stderr, "driver: %s: %s\n", what, detail);
    exit(1);
}

static void put(line *line, const char *bytes, size_t len) {
    if (line->len + len + 1 > line->capacity) {
        line->capacity = 2 * (line->len + len + 1);
        line->data = realloc(line->data, line->capacity);
        if (line->data == NULL) misuse("out of memory", "line");
    }
    if (len > 0) memcpy(line->data + line->len, bytes, len);
    line->len += len;
    line->data[line->len] = '\0';
}

void line_add(line *line, const char *text) {
    put(line, text, strlen(text));
}

void line_clear(line *line) {
    line->len = 0;
    put(line, "", 0);
}

static void put_encoded(line *line, const char *value) {
    for (const unsigned char *c = (const unsigned char *)value; *c != '\0'; c++) {
        if (isalnum(*c)) {
            put(line, (const char *)c, 1);
        } else {
            char escape[4];
            snprintf(escape, sizeof escape, "%%%02X", *c);
            put(line, escape, 3);
        }
    }
}

static void begin_field(line *line, const char *name) {
    line_add(line, " ");
    line_add(line, name);
    line_add(line, "=");
}

void line_text(line *line, const char *name, const char *value) {
    begin_field(line, name);
    put_encoded(line, value);
}

void line_number(line *line, const char *name, uint64_t value) {
    char digits[32];
    snprintf(digits, sizeof digits, "%" PRIu64, value);
    line_text(line, name, digits);
}

void line_flag(line *line, const char *name, bool value) {
    line_text(line, name, value ? "true" : "false");
}

void line_item(line *line, const char *value, bool first) {
    if (!first) line_add(line, ",");
    put_encoded(line, value);
}

void line_payload(line *line, swarm_bytes payload, swarm_content_type type) {
    static const char digits[] = "0123456789abcdef";
    begin_field(line, "payload");
    for (size_t i = 0; i < payload.len; i++) {
        char pair[2] = {digits[payload.data[i] >> 4], digits[payload.data[i] & 15]};
        put(line, pair, 2);
    }
    line_text(line, "type", type == SWARM_CONTENT_BYTES ? "bytes" : "json");
}

void line_error(line *line, swarm_error *error) {
    line_clear(line);
    line_add(line, "error");
    line_text(line, "code", swarm_status_name(swarm_error_status(error)));
    line_text(line, "message", swarm_error_message(error));
    swarm_error_free(error);
}

command command_parse(char *text) {
    command command = {0};
    char *rest = NULL;
    command.name = strtok_r(text, " \n", &rest);
    if (command.name == NULL) misuse("empty line", "");
    for (char *word; (word = strtok_r(NULL, " \n", &rest)) != NULL;) {
        char *equals = strchr(word, '=');
        if (equals == NULL || command.count == sizeof command.fields / sizeof command.fields[0]) misuse("bad field", word);
        *equals = '\0';
        command.fields[command.count++] = (field){word, equals + 1, false};
    }
    return command;
}

static unsigned digit(char c) {
    if (c >= '0' && c <= '9') return (unsigned)(c - '0');
    c = (char)tolower((unsigned char)c);
    if (c >= 'a' && c <= 'f') return (unsigned)(c - 'a' + 10);
    misuse("not hexadecimal", (char[]){c, '\0'});
}

static char *decode(char *text) {
    char *out = text;
    for (const char *in = text; *in != '\0'; in++) {
        if (*in == '%' && in[1] != '\0' && in[2] != '\0') {
            *out++ = (char)(digit(in[1]) << 4 | digit(in[2]));
            in += 2;
        } else {
            *out++ = *in;
        }
    }
    *out = '\0';
    return text;
}

static field *find(command *command, const char *name) {
    for (size_t i = 0; i < command->count; i++) {
        if (strcmp(command->fields[i].name, name) == 0) return &command->fields[i];
    }
    return NULL;
}

const char *command_find(command *command, const char *name) {
    field *field = find(command, name);
    if (field == NULL) return NULL;
    if (!field->decoded) {
        decode(field->value);
        field->decoded = true;
    }
    return field->value;
}

const char *command_text(command *command, const char *name) {
    const char *value = command_find(command, name);
    if (value == NULL) misuse("missing field", name);
    return value;
}

uint64_t command_number(command *command, const char *name) {
    return strtoull(command_text(command, name), NULL, 10);
}

char **command_list(command *command, const char *name, size_t *count) {
    field *field = find(command, name);
    *count = 0;
    size_t capacity = 1;
    for (const char *c = field ? field->value : ""; *c != '\0'; c++) capacity += *c == ',';
    char **items = calloc(capacity + 1, sizeof *items);
    if (items == NULL) misuse("out of memory", name);
    if (field == NULL || *field->value == '\0') return items;
    for (char *item = field->value; item != NULL;) {
        char *comma = strchr(item, ',');
        if (comma != NULL) *comma = '\0';
        items[(*count)++] = decode(item);
        item = comma == NULL ? NULL : comma + 1;
    }
    return items;
}

swarm_bytes bytes_of_hex(char *hex) {
    size_t len = strlen(hex) / 2;
    for (size_t i = 0; i < len; i++) hex[i] = (char)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
    return (swarm_bytes){(const uint8_t *)hex, len};
}

swarm_bytes command_payload(command *command) {
    field *field = find(command, "payload");
    if (field == NULL) misuse("missing field", "payload");
    return bytes_of_hex(field->value);
}

swarm_content_type command_type(command *command) {
    const char *type = command_find(command, "type");
    return type != NULL && strcmp(type, "bytes") == 0 ? SWARM_CONTENT_BYTES : SWARM_CONTENT_JSON;
}
