/* Messages between members, confirmations, and who comes and goes. */
#include <poll.h>

#include "support.h"

/* What a member received. */
typedef struct {
  counter received, destroyed, troubles;
  char log[64][64];
  swarm_message *kept[64];
  pthread_t thread;
} listener;

#define LISTENER_INIT {COUNTER_INIT, COUNTER_INIT, COUNTER_INIT, {{0}}, {NULL}, 0}

static void note(listener *listener, const char *text, swarm_message *kept) {
  long index = counter_get(&listener->received);
  CHECK(index < 64 && counter_get(&listener->destroyed) == 0);
  snprintf(listener->log[index], sizeof listener->log[index], "%s", text);
  listener->kept[index] = kept;
  listener->thread = pthread_self();
  counter_add(&listener->received);
}

/* Notes `sender:payload`, and keeps the message. */
static void on_message(void *user_data, const swarm_message *message) {
  char text[64];
  swarm_bytes payload = swarm_message_details(message)->payload;
  const swarm_peer *from = swarm_message_details(message)->from;
  snprintf(text, sizeof text, "%s:%.*s", from->name, (int)payload.len, payload.len ? (const char *)payload.data : "");
  note(user_data, text, swarm_message_keep(message));
}

static void on_member(void *user_data, swarm_change change, const char *role, const swarm_peer *member) {
  static const char *const changes[] = {"joined", "left", "lost"};
  char text[64];
  CHECK(member->pid == (uint32_t)getpid() && member->incarnation[0] != 0 && member->host[0] != 0);
  snprintf(text, sizeof text, "%s %s %s %s", changes[change], role, member->name, member->group);
  note(user_data, text, NULL);
}

static void on_trouble(void *user_data, const swarm_error *error) {
  fprintf(stderr, "trouble: %s\n", swarm_error_message(error));
  counter_add(&((listener *)user_data)->troubles);
}

static void destroy(void *user_data) { counter_add(&((listener *)user_data)->destroyed); }

static const char *received(listener *listener, long index) {
  CHECK(counter_reaches(&listener->received, index + 1));
  return listener->log[index];
}

static void forget(listener *listener) {
  for (size_t i = 0; i < 64; i++) swarm_message_free(listener->kept[i]);
}

static swarm_options *named(const char *cluster, const char *name, const char *group) {
  swarm_options *options = test_options(cluster);
  swarm_options_set(options, "name", name);
  swarm_options_set(options, "group", group);
  return options;
}

static swarm_master *master_named(const char *cluster, const char *name, const char *group) {
  swarm_options *options = named(cluster, name, group);
  swarm_master *master = start_master(options);
  swarm_options_free(options);
  return master;
}

static swarm_worker *worker_named(const char *cluster, const char *name, const char *group) {
  swarm_options *options = named(cluster, name, group);
  swarm_worker *worker = new_worker(options);
  swarm_worker_on_add(worker, echo, NULL, NULL);
  swarm_options_free(options);
  return worker;
}

/* A worker that receives messages from its start on. */
static swarm_worker *listening_worker(const char *cluster, const char *name, const char *group, listener *listener) {
  swarm_worker *worker = worker_named(cluster, name, group);
  swarm_member_on_message(swarm_worker_member(worker), on_message, listener, destroy);
  swarm_member_on_error(swarm_worker_member(worker), on_trouble, listener, NULL);
  start_worker(worker);
  return worker;
}

static swarm_new_message message_to(swarm_to to, const char *name, const char *payload) {
  swarm_new_message message = SWARM_NEW_MESSAGE_INIT;
  message.to = to;
  message.name = name;
  message.payload = swarm_bytes_of(payload);
  return message;
}

/* Sends, and returns how many received it. */
static size_t sent(swarm_master *master, swarm_new_message message) {
  swarm_call *receipt = NULL;
  CHECK_OK(answered(swarm_member_send(swarm_master_member(master), &message), DEADLINE_MS, &receipt, &error));
  size_t count = swarm_call_receipt(receipt)->recipient_count;
  CHECK(swarm_call_receipt(receipt)->dropped == 0 && swarm_call_receipt(receipt)->reply_count == 0);
  CHECK(swarm_call_receipt(receipt)->recipients[count] == NULL && swarm_call_receipt(receipt)->missing_count == 0);
  swarm_call_free(receipt);
  return count;
}

static void messages_reach_their_recipients(void) {
  listener ann = LISTENER_INIT, bob = LISTENER_INIT;
  swarm_master *master = master_named("msg", "mum", "m");
  CHECK(sent(master, message_to(SWARM_TO_ALL, NULL, "0")) == 0);
  swarm_worker *first = listening_worker("msg", "ann", "g", &ann), *second = listening_worker("msg", "bob", "", &bob);
  swarm_health health = SWARM_HEALTH_INIT;
  CHECK_OK(swarm_member_health(swarm_worker_member(first), &health, &error));
  CHECK(sent(master, message_to(SWARM_TO_ALL, NULL, "1")) == 2);
  CHECK(sent(master, message_to(SWARM_TO_GROUP, "g", "2")) == 1);
  CHECK(sent(master, message_to(SWARM_TO_NAME, "bob", "3")) == 1);
  CHECK(sent(master, message_to(SWARM_TO_MEMBER, health.incarnation, "4")) == 1);
  swarm_new_message process = message_to(SWARM_TO_PROCESS, NULL, "5");
  process.pid = (uint32_t)getpid();
  CHECK(sent(master, process) == 2);
  process.host = "elsewhere";
  CHECK(sent(master, process) == 0);
  CHECK(sent(master, message_to(SWARM_TO_NAME, "nobody", "6")) == 0);
  /* A worker sends too, also to itself if it asks for it. */
  swarm_new_message own = message_to(SWARM_TO_ALL, NULL, "\xff");
  own.content_type = SWARM_CONTENT_BYTES;
  swarm_call *receipt = NULL;
  CHECK_OK(swarm_call_end(swarm_member_send(swarm_worker_member(first), &own), DEADLINE_MS, &error));
  own.to_self = true;
  CHECK_OK(answered(swarm_member_send(swarm_worker_member(first), &own), DEADLINE_MS, &receipt, &error));
  CHECK(swarm_call_receipt(receipt)->recipient_count == 2);
  swarm_call_free(receipt);
  static const char *const of_ann[] = {"mum:1", "mum:2", "mum:4", "mum:5", "ann:\xff"};
  static const char *const of_bob[] = {"mum:1", "mum:3", "mum:5", "ann:\xff", "ann:\xff"};
  for (long i = 0; i < 5; i++) {
    CHECK_TEXT(of_ann[i], received(&ann, i));
    CHECK_TEXT(of_bob[i], received(&bob, i));
  }
  CHECK(swarm_message_details(ann.kept[0])->content_type == SWARM_CONTENT_JSON && !swarm_message_details(ann.kept[0])->wants_reply);
  CHECK(swarm_message_details(ann.kept[4])->content_type == SWARM_CONTENT_BYTES);
  const swarm_peer *from = swarm_message_details(ann.kept[0])->from;
  CHECK(from->pid == (uint32_t)getpid() && from->host[0] != 0);
  CHECK_TEXT("m", from->group);
  CHECK_TEXT("", swarm_message_details(bob.kept[0])->from->name + strlen("mum"));
  CHECK_TEXT(health.incarnation, swarm_message_details(ann.kept[4])->from->incarnation);
  CHECK(swarm_worker_free(first) == SWARM_OK && swarm_worker_free(second) == SWARM_OK);
  CHECK(counter_get(&ann.destroyed) == 1 && counter_get(&bob.received) == 5);
  CHECK(counter_get(&ann.troubles) == 0 && counter_get(&bob.troubles) == 0);
  /* What was kept outlives its member. */
  CHECK_TEXT("g", swarm_message_details(bob.kept[3])->from->group);
  forget(&ann);
  forget(&bob);
  end_master(master);
}

/* What `done` of a message received. */
typedef struct {
  counter done, destroyed;
  swarm_status status;
  size_t recipients, replies, missing;
  char reply[64];
} reception;

#define RECEPTION_INIT {COUNTER_INIT, COUNTER_INIT, SWARM_OK, 0, 0, 0, ""}

static void on_receipt(void *user_data, const swarm_error *error, const swarm_call *receipt) {
  reception *reception = user_data;
  const swarm_receipt *got = swarm_call_receipt(receipt);
  CHECK((error == NULL) == (got != NULL));
  reception->status = swarm_error_status(error);
  if (got != NULL) {
    reception->recipients = got->recipient_count;
    reception->replies = got->reply_count;
    reception->missing = got->missing_count;
    swarm_bytes reply = got->reply_count > 0 ? got->replies[0]->payload : (swarm_bytes){NULL, 0};
    if (reply.len > 0) snprintf(reception->reply, sizeof reception->reply, "%.*s", (int)reply.len, (const char *)reply.data);
  }
  counter_add(&reception->done);
}

static void reception_destroy(void *user_data) { counter_add(&((reception *)user_data)->destroyed); }

static void senders_receive_acknowledgements_and_replies(void) {
  listener ann = LISTENER_INIT, bob = LISTENER_INIT;
  swarm_master *master = master_named("msg-reply", "mum", "");
  swarm_worker *first = listening_worker("msg-reply", "ann", "g", &ann), *second = listening_worker("msg-reply", "bob", "", &bob);
  swarm_new_message message = message_to(SWARM_TO_ALL, NULL, "1");
  swarm_call *receipt = NULL;
  message.acknowledged_ms = DEADLINE_MS;
  CHECK_OK(answered(swarm_member_send(swarm_master_member(master), &message), SWARM_NO_TIMEOUT, &receipt, &error));
  CHECK(swarm_call_receipt(receipt)->recipient_count == 2 && swarm_call_receipt(receipt)->reply_count == 2);
  CHECK(swarm_call_receipt(receipt)->missing_count == 0 && swarm_call_receipt(receipt)->replies[0]->payload.len == 0);
  CHECK(swarm_call_receipt(receipt)->replies[1]->from != NULL && swarm_call_receipt(receipt)->replies[2] == NULL);
  swarm_call_free(receipt);
  /* A reply from a thread of the program's own, after the callback. The first counts. */
  reception asked = RECEPTION_INIT;
  message = message_to(SWARM_TO_GROUP, "g", "2");
  message.request_ms = DEADLINE_MS;
  CHECK_OK(swarm_call_on_done(swarm_member_send(swarm_master_member(master), &message), SWARM_NO_TIMEOUT, on_receipt, &asked, reception_destroy, &error));
  CHECK_TEXT("mum:2", received(&ann, 1));
  CHECK(swarm_message_details(ann.kept[1])->wants_reply);
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_message_reply(ann.kept[0], swarm_bytes_of("0"), SWARM_CONTENT_JSON, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_message_reply(ann.kept[1], swarm_bytes_of("0"), 7, &error));
  static const uint8_t zeros[64 * 1024 + 1];
  swarm_bytes large = {zeros, sizeof zeros};
  CHECK_STATUS(SWARM_ERR_TOO_LARGE, swarm_message_reply(ann.kept[1], large, SWARM_CONTENT_BYTES, &error));
  CHECK(counter_get(&asked.done) == 0);
  CHECK_OK(swarm_message_reply(ann.kept[1], swarm_bytes_of("[7]"), SWARM_CONTENT_JSON, &error));
  CHECK_OK(swarm_message_reply(ann.kept[1], swarm_bytes_of("[8]"), SWARM_CONTENT_JSON, &error));
  CHECK(counter_reaches(&asked.destroyed, 1) && counter_get(&asked.done) == 1);
  CHECK(asked.status == SWARM_OK && asked.recipients == 1 && asked.replies == 1 && asked.missing == 0);
  CHECK_TEXT("[7]", asked.reply);
  /* No recipient replies in time. */
  message.request_ms = 50;
  CHECK_OK(answered(swarm_member_send(swarm_master_member(master), &message), SWARM_NO_TIMEOUT, &receipt, &error));
  CHECK(swarm_call_receipt(receipt)->reply_count == 0 && swarm_call_receipt(receipt)->missing_count == 1);
  CHECK_TEXT(swarm_call_receipt(receipt)->recipients[0], swarm_call_receipt(receipt)->missing[0]);
  CHECK(swarm_call_receipt(receipt)->missing[1] == NULL);
  swarm_call_free(receipt);
  /* The caller's own limit. */
  message.request_ms = DEADLINE_MS;
  CHECK_STATUS(SWARM_ERR_TIMEOUT, swarm_call_end(swarm_member_send(swarm_master_member(master), &message), 1, &error));
  /* What is still open ends with its member. */
  reception open = RECEPTION_INIT;
  CHECK_OK(swarm_call_on_done(swarm_member_send(swarm_worker_member(second), &message), SWARM_NO_TIMEOUT, on_receipt, &open, reception_destroy, &error));
  CHECK_TEXT("bob:2", received(&ann, 4));
  CHECK(swarm_worker_free(second) == SWARM_OK);
  CHECK(counter_get(&open.destroyed) == 1 && counter_get(&open.done) == 1 && open.status == SWARM_ERR_CLOSED);
  CHECK(swarm_worker_free(first) == SWARM_OK);
  forget(&ann);
  forget(&bob);
  end_master(master);
}

static void messages_arrive_in_the_order_of_the_calls(void) {
  enum { COUNT = 30 };
  listener ann = LISTENER_INIT;
  reception last = RECEPTION_INIT;
  swarm_master *master = master_named("msg-order", "mum", "");
  swarm_worker *worker = listening_worker("msg-order", "ann", "", &ann);
  char text[16], expected[16];
  for (int i = 0; i < COUNT; i++) {
    snprintf(text, sizeof text, "%d", i);
    swarm_new_message message = message_to(SWARM_TO_ALL, NULL, text);
    CHECK_OK(swarm_call_on_done(swarm_member_send(swarm_master_member(master), &message), SWARM_NO_TIMEOUT, on_receipt, &last, reception_destroy, &error));
  }
  for (int i = 0; i < COUNT; i++) {
    snprintf(expected, sizeof expected, "mum:%d", i);
    CHECK_TEXT(expected, received(&ann, i));
  }
  CHECK(counter_reaches(&last.destroyed, COUNT) && counter_get(&last.done) == COUNT);
  CHECK(swarm_worker_free(worker) == SWARM_OK);
  forget(&ann);
  end_master(master);
}

static pthread_t here;

static void callbacks_are_set_and_removed_at_any_time(void) {
  listener ann = LISTENER_INIT, later = LISTENER_INIT, mum = LISTENER_INIT;
  swarm_master *master = master_named("msg-late", "mum", "");
  swarm_worker *worker = worker_named("msg-late", "ann", "");
  start_worker(worker);
  CHECK(sent(master, message_to(SWARM_TO_ALL, NULL, "0")) == 0);
  swarm_member_on_message(swarm_worker_member(worker), on_message, &ann, destroy);
  CHECK_OK(swarm_call_end(swarm_member_ready(swarm_worker_member(worker)), DEADLINE_MS, &error));
  CHECK(sent(master, message_to(SWARM_TO_ALL, NULL, "1")) == 1);
  CHECK_TEXT("mum:1", received(&ann, 0));
  swarm_member_on_message(swarm_worker_member(worker), on_message, &later, destroy);
  CHECK(counter_reaches(&ann.destroyed, 1));
  CHECK(sent(master, message_to(SWARM_TO_ALL, NULL, "2")) == 1);
  CHECK_TEXT("mum:2", received(&later, 0));
  swarm_member_on_message(swarm_worker_member(worker), NULL, NULL, NULL);
  CHECK(counter_reaches(&later.destroyed, 1));
  /* A master receives as well, here on the polling thread. */
  int fd = -1;
  here = pthread_self();
  CHECK_OK(swarm_member_fd(swarm_master_member(master), &fd, &error));
  swarm_member_on_message(swarm_master_member(master), on_message, &mum, destroy);
  CHECK_OK(swarm_call_end(swarm_member_ready(swarm_master_member(master)), DEADLINE_MS, &error));
  swarm_new_message message = message_to(SWARM_TO_NAME, "mum", "3");
  swarm_call *receipt = NULL;
  CHECK_OK(answered(swarm_member_send(swarm_worker_member(worker), &message), DEADLINE_MS, &receipt, &error));
  CHECK(swarm_call_receipt(receipt)->recipient_count == 1);
  swarm_call_free(receipt);
  while (counter_get(&mum.received) == 0) {
    struct pollfd poller = {fd, POLLIN, 0};
    CHECK(poll(&poller, 1, DEADLINE_MS) > 0);
    CHECK_OK(swarm_member_dispatch(swarm_master_member(master), &error));
  }
  CHECK_TEXT("ann:3", received(&mum, 0));
  CHECK(pthread_equal(mum.thread, here));
  CHECK(swarm_worker_free(worker) == SWARM_OK);
  CHECK_OK(swarm_call_end(swarm_master_obliterate(master), DEADLINE_MS, &error));
  CHECK(swarm_master_free(master) == SWARM_OK);
  CHECK(counter_get(&mum.destroyed) == 1 && counter_get(&later.received) == 1);
  forget(&ann);
  forget(&later);
  forget(&mum);
}

static void on_confirmed(void *user_data, const swarm_error *error, const swarm_call *call) {
  const char *json = swarm_call_json(call);
  listener *listener = user_data;
  CHECK((error == NULL) == (json != NULL));
  note(listener, error == NULL ? strstr(json, "\"name\":") : swarm_status_name(swarm_error_status(error)), NULL);
}

static void confirmations_count_distinct_members(void) {
  listener confirmed = LISTENER_INIT;
  swarm_master *master = master_named("msg-confirm", "mum", "");
  swarm_worker *ann = worker_named("msg-confirm", "ann", ""), *bob = worker_named("msg-confirm", "bob", "");
  start_worker(ann);
  start_worker(bob);
  swarm_call *json = NULL;
  CHECK_OK(answered(swarm_member_confirmations(swarm_master_member(master), 0, "up"), DEADLINE_MS, &json, &error));
  CHECK_TEXT("[]", swarm_call_json(json));
  swarm_call_free(json);
  CHECK_OK(swarm_call_on_done(swarm_member_confirmations(swarm_master_member(master), 1, "x"), 1, on_confirmed, &confirmed, NULL, &error));
  CHECK_TEXT("TIMEOUT", received(&confirmed, 0));
  CHECK_OK(swarm_call_on_done(swarm_member_confirmations(swarm_master_member(master), 2, "up"), SWARM_NO_TIMEOUT, on_confirmed, &confirmed, destroy, &error));
  CHECK_OK(swarm_call_end(swarm_member_confirm(swarm_worker_member(bob), "up"), DEADLINE_MS, &error));
  CHECK_OK(swarm_call_end(swarm_member_confirm(swarm_worker_member(bob), "up"), DEADLINE_MS, &error));
  CHECK_OK(swarm_call_end(swarm_member_confirm(swarm_worker_member(ann), "down"), DEADLINE_MS, &error));
  CHECK(counter_get(&confirmed.received) == 1);
  CHECK_OK(swarm_call_on_done(swarm_member_confirm(swarm_worker_member(ann), "up"), SWARM_NO_TIMEOUT, NULL, NULL, NULL, &error));
  CHECK(strncmp(received(&confirmed, 1), "\"name\":\"bob\"", 12) == 0);
  CHECK(counter_reaches(&confirmed.destroyed, 1));
  /* One's own counts; nobody else's does for another name. */
  CHECK_OK(swarm_call_on_done(swarm_member_confirmations(swarm_worker_member(ann), 1, "own"), DEADLINE_MS, NULL, NULL, NULL, &error));
  CHECK_OK(swarm_call_on_done(swarm_member_confirm(swarm_master_member(master), "own"), SWARM_NO_TIMEOUT, NULL, NULL, NULL, &error));
  CHECK_STATUS(SWARM_ERR_TIMEOUT, swarm_call_end(swarm_member_confirmations(swarm_worker_member(ann), 1, "never"), 1, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_call_end(swarm_member_confirm(swarm_master_member(master), ""), DEADLINE_MS, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_call_end(swarm_member_confirm(swarm_master_member(master), NULL), DEADLINE_MS, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, answered(swarm_member_confirmations(swarm_master_member(master), 1, ""), DEADLINE_MS, &json, &error));
  CHECK(swarm_worker_free(ann) == SWARM_OK && swarm_worker_free(bob) == SWARM_OK);
  end_master(master);
}

/* A confirmation comes behind the messages before it. */
static void confirmations_come_in_the_order_of_the_calls(void) {
  listener ann = LISTENER_INIT;
  swarm_master *master = master_named("msg-turns", "mum", "");
  swarm_worker *worker = listening_worker("msg-turns", "ann", "", &ann);
  for (long round = 0; round < 20; round++) {
    listener confirmed = LISTENER_INIT;
    swarm_new_message message = message_to(SWARM_TO_ALL, NULL, "1");
    CHECK_OK(swarm_call_on_done(swarm_member_confirmations(swarm_worker_member(worker), 1, "turn"), DEADLINE_MS, on_confirmed, &confirmed, destroy, &error));
    CHECK_OK(swarm_call_on_done(swarm_member_send(swarm_master_member(master), &message), SWARM_NO_TIMEOUT, NULL, NULL, NULL, &error));
    CHECK_OK(swarm_call_on_done(swarm_member_confirm(swarm_master_member(master), "turn"), SWARM_NO_TIMEOUT, NULL, NULL, NULL, &error));
    CHECK(counter_reaches(&confirmed.received, 1));
    CHECK(counter_get(&ann.received) == round + 1);
    CHECK(counter_reaches(&confirmed.destroyed, 1));
  }
  CHECK(swarm_worker_free(worker) == SWARM_OK);
  forget(&ann);
  end_master(master);
}

static void changes_of_members_are_reported(void) {
  listener seen = LISTENER_INIT, by_worker = LISTENER_INIT;
  swarm_master *master = master_named("msg-who", "mum", "");
  swarm_member_on_peer(swarm_master_member(master), on_member, &seen, destroy);
  CHECK_OK(swarm_call_end(swarm_member_ready(swarm_master_member(master)), DEADLINE_MS, &error));
  swarm_worker *ann = worker_named("msg-who", "ann", "g");
  swarm_member_on_peer(swarm_worker_member(ann), on_member, &by_worker, destroy);
  start_worker(ann);
  CHECK_TEXT("joined worker ann g", received(&seen, 0));
  swarm_master *other = master_named("msg-who", "dad", "");
  CHECK_TEXT("joined master dad ", received(&seen, 1));
  CHECK_TEXT("joined master dad ", received(&by_worker, 0));
  CHECK(swarm_master_free(other) == SWARM_OK);
  CHECK_TEXT("left master dad ", received(&seen, 2));
  CHECK_TEXT("left master dad ", received(&by_worker, 1));
  /* The data that members publish about themselves. */
  swarm_call *json = NULL;
  CHECK_OK(swarm_call_end(swarm_member_set_data(swarm_worker_member(ann), swarm_bytes_of("{\"shard\":7}")), DEADLINE_MS, &error));
  listener done = LISTENER_INIT;
  CHECK_OK(swarm_call_on_done(swarm_member_set_data(swarm_master_member(master), swarm_bytes_of("[1]")), SWARM_NO_TIMEOUT, NULL, &done, destroy, &error));
  CHECK(counter_reaches(&done.destroyed, 1));
  CHECK_OK(answered(swarm_master_members(master), DEADLINE_MS, &json, &error));
  CHECK(strstr(swarm_call_json(json), "\"data\":{\"shard\":7}") != NULL && strstr(swarm_call_json(json), "\"data\":[1]") != NULL);
  swarm_call_free(json);
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_call_end(swarm_member_set_data(swarm_worker_member(ann), swarm_bytes_of("{")), DEADLINE_MS, &error));
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, swarm_call_end(swarm_member_set_data(swarm_worker_member(ann), swarm_bytes_of("\"\xff\"")), DEADLINE_MS, &error));
  static char large[4098];
  memset(large, '1', sizeof large - 1);
  CHECK_STATUS(SWARM_ERR_TOO_LARGE, swarm_call_end(swarm_member_set_data(swarm_worker_member(ann), swarm_bytes_of(large)), DEADLINE_MS, &error));
  CHECK(swarm_worker_free(ann) == SWARM_OK);
  CHECK_TEXT("left worker ann g", received(&seen, 3));
  swarm_member_on_peer(swarm_master_member(master), NULL, NULL, NULL);
  CHECK(counter_reaches(&seen.destroyed, 1) && counter_get(&by_worker.destroyed) == 1);
  end_master(master);
}

static void bad_messages_are_refused(void) {
  swarm_master *master = master_named("msg-bad", "mum", "");
  swarm_worker *idle = worker_named("msg-bad", "ann", "");
  reception refused = RECEPTION_INIT;
  swarm_call *receipt = NULL;
#define REFUSED(message) CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, answered(swarm_member_send(swarm_master_member(master), message), DEADLINE_MS, &receipt, &error))
  swarm_new_message good = message_to(SWARM_TO_ALL, NULL, "1"), bad = good;
  REFUSED(NULL);
  bad.struct_size = 0;
  REFUSED(&bad);
  bad = good, bad.to = 5;
  REFUSED(&bad);
  bad = good, bad.to = SWARM_TO_GROUP;
  REFUSED(&bad);
  bad.name = "";
  REFUSED(&bad);
  bad.name = "\xff";
  REFUSED(&bad);
  bad = good, bad.content_type = 2;
  REFUSED(&bad);
  bad = good, bad.payload = (swarm_bytes){NULL, 1};
  REFUSED(&bad);
  bad = good, bad.acknowledged_ms = bad.request_ms = 1;
  REFUSED(&bad);
  bad = good, bad.request_ms = UINT64_MAX - 1;
  REFUSED(&bad);
  static const uint8_t zeros[64 * 1024 + 1];
  bad = good, bad.content_type = SWARM_CONTENT_BYTES, bad.payload = (swarm_bytes){zeros, sizeof zeros};
  CHECK_STATUS(SWARM_ERR_TOO_LARGE, answered(swarm_member_send(swarm_master_member(master), &bad), DEADLINE_MS, &receipt, &error));
  CHECK_OK(swarm_call_on_done(swarm_member_send(swarm_master_member(master), &bad), SWARM_NO_TIMEOUT, on_receipt, &refused, reception_destroy, &error));
  CHECK(counter_reaches(&refused.destroyed, 1) && refused.status == SWARM_ERR_TOO_LARGE);
  CHECK_STATUS(SWARM_ERR_INVALID_ARGUMENT, answered(swarm_member_send(swarm_worker_member(idle), &good), DEADLINE_MS, &receipt, &error));
  CHECK_OK(swarm_call_end(swarm_master_obliterate(master), DEADLINE_MS, &error));
  CHECK_OK(swarm_call_end(swarm_master_close(master), DEADLINE_MS, &error));
  CHECK_STATUS(SWARM_ERR_CLOSED, answered(swarm_member_send(swarm_master_member(master), &good), DEADLINE_MS, &receipt, &error));
  CHECK_STATUS(SWARM_ERR_CLOSED, swarm_call_end(swarm_member_confirm(swarm_master_member(master), "x"), DEADLINE_MS, &error));
  CHECK(receipt == NULL);
  CHECK(swarm_master_free(master) == SWARM_OK);
  CHECK(swarm_worker_free(idle) == SWARM_OK);
}

/* Without a server, no call waits for a subscription, and only the trouble of the connection is reported. */
static void subscribing_waits_for_no_connection(void) {
  listener ann = LISTENER_INIT;
  swarm_options *options = swarm_options_new("nowhere");
  swarm_options_set(options, "url", "redis://127.0.0.1:1");
  swarm_options_set(options, "timeout", "200");
  swarm_master *master = NULL;
  CHECK_OK(swarm_master_new(options, &master, &error));
  swarm_member_on_error(swarm_master_member(master), on_trouble, &ann, NULL);
  double start = now_ms();
  swarm_member_on_message(swarm_master_member(master), on_message, &ann, destroy);
  swarm_member_on_peer(swarm_master_member(master), on_member, &ann, destroy);
  CHECK(now_ms() - start < 5000);
  CHECK_STATUS(SWARM_ERR_UNAVAILABLE, swarm_call_end(swarm_member_ready(swarm_master_member(master)), DEADLINE_MS, &error));
  CHECK(counter_reaches(&ann.troubles, 1));
  CHECK(swarm_master_free(master) == SWARM_OK);
  CHECK(counter_get(&ann.destroyed) == 2 && counter_get(&ann.troubles) == 1);
  swarm_options_free(options);
}

int main(void) {
  RUN(messages_reach_their_recipients);
  RUN(senders_receive_acknowledgements_and_replies);
  RUN(messages_arrive_in_the_order_of_the_calls);
  RUN(callbacks_are_set_and_removed_at_any_time);
  RUN(confirmations_count_distinct_members);
  RUN(confirmations_come_in_the_order_of_the_calls);
  RUN(changes_of_members_are_reported);
  RUN(bad_messages_are_refused);
  RUN(subscribing_waits_for_no_connection);
  return 0;
}
