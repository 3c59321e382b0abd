#define _POSIX_C_SOURCE 200809L
#include "messages.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "json.h"

static void on_message(void *user_data, const swarm_message *message) {
    events_push_message(user_data, message);
}

static void on_member(void *user_data, swarm_change change, const char *role, const swarm_member *member) {
    static const char *const changes[] = {"joined", "left", "lost"};
    line line = {0};
    line_add(&line, "ok event=member");
    line_text(&line, "change", changes[change]);
    line_text(&line, "role", role);
    line_text(&line, "name", member->name);
    events_push(user_data, line);
}

static void on_kill(void *user_data, int32_t code, const swarm_member *from) {
    line line = {0};
    line_add(&line, "ok event=kill");
    line_number(&line, "code", (uint64_t)code);
    line_text(&line, "from", from->name);
    events_push(user_data, line);
}

static swarm_error *ready(messenger by) {
    swarm_error *error = NULL;
    if (by.master != NULL) swarm_master_ready(by.master, CALL_MS, &error);
    else swarm_worker_ready(by.worker, CALL_MS, &error);
    return error;
}

static swarm_error *listen(messenger by, command *command, line *answer) {
    (void)command, (void)answer;
    if (by.master != NULL) {
        swarm_master_on_message(by.master, on_message, by.events, NULL);
        swarm_master_on_kill(by.master, on_kill, by.events, NULL);
    } else {
        swarm_worker_on_message(by.worker, on_message, by.events, NULL);
        swarm_worker_on_kill(by.worker, on_kill, by.events, NULL);
    }
    return ready(by);
}

static swarm_error *watch(messenger by, command *command, line *answer) {
    (void)command, (void)answer;
    if (by.master != NULL) swarm_master_on_member(by.master, on_member, by.events, NULL);
    else swarm_worker_on_member(by.worker, on_member, by.events, NULL);
    return ready(by);
}

static swarm_new_message addressed(command *command) {
    static const struct {
        const char *kind;
        swarm_to to;
    } kinds[] = {{"all", SWARM_TO_ALL}, {"group:", SWARM_TO_GROUP}, {"name:", SWARM_TO_NAME}, {"pid:", SWARM_TO_PROCESS}, {"member:", SWARM_TO_MEMBER}};
    swarm_new_message message = SWARM_NEW_MESSAGE_INIT;
    const char *to = command_text(command, "to");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t len = strlen(kinds[i].kind);
        if (strncmp(to, kinds[i].kind, len) != 0) continue;
        message.to = kinds[i].to;
        message.name = to + len;
    }
    if (message.name == NULL) misuse("nobody is", to);
    if (message.to == SWARM_TO_PROCESS) message.pid = (uint32_t)strtoul(message.name, NULL, 10);
    return message;
}

static swarm_new_message new_message(command *command) {
    swarm_new_message message = addressed(command);
    message.payload = command_payload(command);
    message.content_type = command_type(command);
    const char *to_self = command_find(command, "to_self");
    message.to_self = to_self != NULL && strcmp(to_self, "true") == 0;
    if (command_find(command, "acknowledged") != NULL) message.acknowledged_ms = command_number(command, "acknowledged");
    if (command_find(command, "request") != NULL) message.request_ms = command_number(command, "request");
    return message;
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void show_replies(line *answer, const swarm_receipt *receipt) {
    size_t count = swarm_receipt_reply_count(receipt);
    char **replies = calloc(count + 1, sizeof *replies);
    if (replies == NULL) misuse("out of memory", "replies");
    for (size_t i = 0; i < count; i++) {
        const char *name = swarm_receipt_reply_from(receipt, i)->name;
        swarm_bytes payload = swarm_receipt_reply_payload(receipt, i);
        size_t len = strlen(name);
        replies[i] = calloc(len + payload.len + 2, 1);
        if (replies[i] == NULL) misuse("out of memory", "replies");
        memcpy(replies[i], name, len);
        replies[i][len] = ':';
        if (payload.len > 0) memcpy(replies[i] + len + 1, payload.data, payload.len);
    }
    qsort(replies, count, sizeof *replies, by_text);
    line_add(answer, " replies=");
    for (size_t i = 0; i < count; i++) {
        line_item(answer, replies[i], i == 0);
        free(replies[i]);
    }
    free(replies);
}

static void show_receipt(line *answer, swarm_receipt *receipt) {
    line_number(answer, "recipients", swarm_receipt_recipient_count(receipt));
    line_number(answer, "dropped", swarm_receipt_dropped(receipt));
    line_number(answer, "missing", swarm_receipt_missing_count(receipt));
    show_replies(answer, receipt);
    swarm_receipt_free(receipt);
}

static swarm_error *send_message(messenger by, command *command, line *answer) {
    swarm_error *error = NULL;
    swarm_receipt *receipt = NULL;
    swarm_new_message message = new_message(command);
    /* As long as its own limits. */
    if (by.master != NULL) swarm_master_send(by.master, &message, SWARM_NO_TIMEOUT, &receipt, &error);
    else swarm_worker_send(by.worker, &message, SWARM_NO_TIMEOUT, &receipt, &error);
    if (error == NULL) show_receipt(answer, receipt);
    return error;
}

static swarm_error *end_program(messenger by, command *command, line *answer) {
    swarm_error *error = NULL;
    swarm_receipt *receipt = NULL;
    swarm_new_message whom = addressed(command);
    int32_t code = (int32_t)command_number(command, "code");
    if (by.master != NULL) swarm_master_kill(by.master, &whom, code, CALL_MS, &receipt, &error);
    else swarm_worker_kill(by.worker, &whom, code, CALL_MS, &receipt, &error);
    if (error == NULL) show_receipt(answer, receipt);
    return error;
}

static void on_kill_after(void *user_data, int32_t code, const swarm_member *from) {
    (void)code, (void)from;
    const struct timespec *delay = user_data;
    nanosleep(delay, NULL);
}

static swarm_error *exit_on_kill(messenger by, command *command, line *answer) {
    (void)answer;
    swarm_error *error = NULL;
    uint64_t grace = command_number(command, "grace"), delay = command_number(command, "delay");
    struct timespec *pause = malloc(sizeof *pause);
    *pause = (struct timespec){(time_t)(delay / 1000), (long)(delay % 1000) * 1000000};
    if (by.master != NULL) {
        swarm_master_on_kill(by.master, on_kill_after, pause, free);
        swarm_master_exit_on_kill(by.master, grace, &error);
    } else {
        swarm_worker_on_kill(by.worker, on_kill_after, pause, free);
        swarm_worker_exit_on_kill(by.worker, grace, &error);
    }
    return error != NULL ? error : ready(by);
}

static swarm_error *reply(messenger by, command *command, line *answer) {
    (void)answer;
    swarm_error *error = NULL;
    const swarm_message *last = events_last_message(by.events);
    if (last == NULL) misuse("no message to reply to", "");
    swarm_message_reply(last, command_payload(command), command_type(command), &error);
    return error;
}

static swarm_error *confirm(messenger by, command *command, line *answer) {
    (void)answer;
    swarm_error *error = NULL;
    const char *name = command_text(command, "name");
    if (by.master != NULL) swarm_master_confirm(by.master, name, CALL_MS, &error);
    else swarm_worker_confirm(by.worker, name, CALL_MS, &error);
    return error;
}

static swarm_error *confirmations(messenger by, command *command, line *answer) {
    swarm_error *error = NULL;
    swarm_text *json = NULL;
    size_t count = command_number(command, "count");
    const char *name = command_text(command, "name");
    if (by.master != NULL) swarm_master_confirmations(by.master, count, name, CALL_MS, &json, &error);
    else swarm_worker_confirmations(by.worker, count, name, CALL_MS, &json, &error);
    if (error != NULL) return error;
    line_add(answer, " names=");
    const char *first = json_first(swarm_text_get(json));
    for (const char *item = first; item != NULL; item = json_next(item)) {
        char *text = json_text(json_member(item, "name"));
        line_item(answer, text, item == first);
        free(text);
    }
    swarm_text_free(json);
    return NULL;
}

static swarm_error *set_data(messenger by, command *command, line *answer) {
    (void)answer;
    swarm_error *error = NULL;
    swarm_bytes data = swarm_bytes_of(command_text(command, "data"));
    if (by.master != NULL) swarm_master_set_data(by.master, data, CALL_MS, &error);
    else swarm_worker_set_data(by.worker, data, CALL_MS, &error);
    return error;
}

bool messages_obey(messenger by, command *command, line *answer) {
    static const struct {
        const char *name;
        swarm_error *(*obey)(messenger by, struct command *command, line *answer);
    } commands[] = {
        {"listen", listen},   {"watch", watch},                 {"send", send_message},  {"reply", reply},
        {"confirm", confirm}, {"confirmations", confirmations}, {"set_data", set_data},
        {"end_program", end_program}, {"exit_on_kill", exit_on_kill},
    };
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, command->name) != 0) continue;
        swarm_error *error = commands[i].obey(by, command, answer);
        if (error != NULL) line_error(answer, error);
        return true;
    }
    return false;
}
