#define _POSIX_C_SOURCE 200809L
#include "messages.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "json.h"

static void on_message(void *user_data, const swarm_message *message) {
    events_push_message(user_data, message);
}

static void on_member(void *user_data, swarm_change change, const char *role, const swarm_peer *member) {
    static const char *const changes[] = {"joined", "left", "lost"};
    line line = {0};
    line_add(&line, "ok event=member");
    line_text(&line, "change", changes[change]);
    line_text(&line, "role", role);
    line_text(&line, "name", member->name);
    events_push(user_data, line);
}

static void on_kill(void *user_data, int32_t code, const swarm_peer *from) {
    line line = {0};
    line_add(&line, "ok event=kill");
    line_number(&line, "code", (uint64_t)code);
    line_text(&line, "from", from->name);
    events_push(user_data, line);
}

static swarm_error *ready(messenger by) {
    swarm_error *error = NULL;
    swarm_call_end(swarm_member_ready(by.member), CALL_MS, &error);
    return error;
}

static swarm_error *listen(messenger by, command *command, line *answer) {
    (void)command, (void)answer;
    swarm_member_on_message(by.member, on_message, by.events, NULL);
    swarm_member_on_kill(by.member, on_kill, by.events, NULL);
    return ready(by);
}

static swarm_error *watch(messenger by, command *command, line *answer) {
    (void)command, (void)answer;
    swarm_member_on_peer(by.member, on_member, by.events, NULL);
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
    if (message.name == NULL) misuse("no recipient is", to);
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
    size_t count = receipt->reply_count;
    char **replies = calloc(count + 1, sizeof *replies);
    if (replies == NULL) misuse("out of memory", "replies");
    for (size_t i = 0; i < count; i++) {
        const char *name = receipt->replies[i]->from->name;
        swarm_bytes payload = receipt->replies[i]->payload;
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

static void show_receipt(line *answer, swarm_call *call) {
    const swarm_receipt *receipt = swarm_call_receipt(call);
    line_number(answer, "recipients", receipt->recipient_count);
    line_number(answer, "dropped", receipt->dropped);
    line_number(answer, "missing", receipt->missing_count);
    show_replies(answer, receipt);
    swarm_call_free(call);
}

static swarm_error *send_message(messenger by, command *command, line *answer) {
    swarm_error *error = NULL;
    swarm_call *receipt = NULL;
    swarm_new_message message = new_message(command);
    /* As long as its own limits. */
    answered(swarm_member_send(by.member, &message), SWARM_NO_TIMEOUT, &receipt, &error);
    if (error == NULL) show_receipt(answer, receipt);
    return error;
}

static swarm_error *end_program(messenger by, command *command, line *answer) {
    swarm_error *error = NULL;
    swarm_call *receipt = NULL;
    swarm_new_message whom = addressed(command);
    int32_t code = (int32_t)command_number(command, "code");
    answered(swarm_member_kill(by.member, &whom, code), CALL_MS, &receipt, &error);
    if (error == NULL) show_receipt(answer, receipt);
    return error;
}

static void on_kill_after(void *user_data, int32_t code, const swarm_peer *from) {
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
    swarm_member_on_kill(by.member, on_kill_after, pause, free);
    swarm_member_exit_on_kill(by.member, grace, &error);
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
    swarm_call_end(swarm_member_confirm(by.member, name), CALL_MS, &error);
    return error;
}

static swarm_error *confirmations(messenger by, command *command, line *answer) {
    swarm_error *error = NULL;
    swarm_call *json = NULL;
    size_t count = command_number(command, "count");
    const char *name = command_text(command, "name");
    answered(swarm_member_confirmations(by.member, count, name), CALL_MS, &json, &error);
    if (error != NULL) return error;
    line_add(answer, " names=");
    const char *first = json_first(swarm_call_json(json));
    for (const char *item = first; item != NULL; item = json_next(item)) {
        char *text = json_text(json_member(item, "name"));
        line_item(answer, text, item == first);
        free(text);
    }
    swarm_call_free(json);
    return NULL;
}

static swarm_error *set_data(messenger by, command *command, line *answer) {
    (void)answer;
    swarm_error *error = NULL;
    swarm_bytes data = swarm_bytes_of(command_text(command, "data"));
    swarm_call_end(swarm_member_set_data(by.member, data), CALL_MS, &error);
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
