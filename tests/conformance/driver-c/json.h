/* Enough of JSON to read what the library wrote, which is not checked again. */
#ifndef DRIVER_JSON_H
#define DRIVER_JSON_H

/* The value of a member of an object; NULL if it has none of the name. */
const char *json_member(const char *object, const char *name);
/* The first item of an array, and the one after an item; NULL at the end. */
const char *json_first(const char *array);
const char *json_next(const char *item);
/* A text decoded, or another value as it is written, "" for null or NULL; to be freed. */
char *json_text(const char *value);

#endif
