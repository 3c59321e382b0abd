/* The lines of the protocol: commands that come in, answers that go out. */
#ifndef DRIVER_LINE_H
#define DRIVER_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <swarm.h>

/* A line being put together. Starts as {0}; free `data` at the end. */
typedef struct line {
    char *data;
    size_t len, capacity;
} line;

void line_add(line *line, const char *text);
/* ` name=value`, the value percent-encoded. */
void line_text(line *line, const char *name, const char *value);
void line_number(line *line, const char *name, uint64_t value);
void line_flag(line *line, const char *name, bool value);
void line_payload(line *line, swarm_bytes payload, swarm_content_type type);
/* An item of a list that was begun with line_add(" name="). */
void line_item(line *line, const char *value, bool first);
void line_clear(line *line);
/* Makes the answer that of an error, and frees the error. */
void line_error(line *line, swarm_error *error);

typedef struct field {
    char *name, *value;
    bool decoded;
} field;

/* A command with its fields. Points into the line it was read from, and decodes values there. */
typedef struct command {
    char *name;
    field fields[32];
    size_t count;
} command;

command command_parse(char *line);
/* NULL if there is no such field. */
const char *command_find(command *command, const char *name);
/* A missing field is a mistake of the test and stops the driver. */
const char *command_text(command *command, const char *name);
uint64_t command_number(command *command, const char *name);
/* The items of a list, NULL after the last; to be freed. */
char **command_list(command *command, const char *name, size_t *count);
swarm_bytes command_payload(command *command);
swarm_content_type command_type(command *command);
/* Bytes written in hexadecimal, decoded in place. */
swarm_bytes bytes_of_hex(char *hex);

_Noreturn void misuse(const char *what, const char *detail);

#endif
