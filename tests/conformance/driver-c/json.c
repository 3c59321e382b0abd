#define _POSIX_C_SOURCE 200809L
#include "json.h"

#include <stdlib.h>
#include <string.h>

#include "line.h"

static const char *skip_space(const char *at) {
    return at + strspn(at, " \t\r\n");
}

static const char *skip_text(const char *at) {
    for (at++; *at != '"'; at++) {
        if (*at == '\\') at++;
    }
    return at + 1;
}

/* What follows a value. */
static const char *skip_value(const char *at) {
    if (*at == '"') return skip_text(at);
    if (*at != '{' && *at != '[') return at + strcspn(at, ",]} \t\r\n");
    size_t depth = 0;
    do {
        if (*at == '"') {
            at = skip_text(at);
            continue;
        }
        if (*at == '{' || *at == '[') depth++;
        if (*at == '}' || *at == ']') depth--;
        at++;
    } while (depth > 0);
    return at;
}

const char *json_first(const char *array) {
    const char *at = skip_space(array + 1);
    return *at == ']' || *at == '}' ? NULL : at;
}

const char *json_next(const char *item) {
    const char *at = skip_space(skip_value(item));
    return *at == ',' ? skip_space(at + 1) : NULL;
}

const char *json_member(const char *object, const char *name) {
    size_t len = strlen(name);
    for (const char *at = json_first(object); at != NULL;) {
        const char *colon = skip_space(skip_text(at));
        const char *value = skip_space(colon + 1);
        if (strncmp(at + 1, name, len) == 0 && at[len + 1] == '"') return value;
        at = json_next(value);
    }
    return NULL;
}

/* Escapes are of the characters that JSON needs escaped; all others are written as they are. */
static char unescaped(const char **at) {
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    const char *known = strchr(from, **at);
    if (known != NULL) return to[known - from];
    if (**at != 'u') return **at;
    char digits[5] = {(*at)[1], (*at)[2], (*at)[3], (*at)[4], '\0'};
    *at += 4;
    return (char)strtoul(digits, NULL, 16);
}

char *json_text(const char *value) {
    if (value == NULL || strncmp(value, "null", 4) == 0) value = "\"\"";
    const char *end = skip_value(value);
    char *text = strndup(value, (size_t)(end - value));
    if (text == NULL) misuse("out of memory", "json");
    if (*value != '"') return text;
    char *out = text;
    for (const char *at = value + 1; *at != '"'; at++) {
        if (*at == '\\') {
            at++;
            *out++ = unescaped(&at);
        } else {
            *out++ = *at;
        }
    }
    *out = '\0';
    return text;
}
