/* What masters and workers have in common. */
#ifndef DRIVER_MEMBER_H
#define DRIVER_MEMBER_H

#include "events.h"

/* A limit for calls that have none of their own; the runner gives up later than that. */
#define CALL_MS 30000

typedef struct master_driver master_driver;
typedef struct worker_driver worker_driver;

/* Options of every field but the driver's own. */
swarm_options *options_of(command *command);
/* Waits for a call. SWARM_OK: it is written to `answer`, for its answer to be read, and to be freed. */
swarm_status answered(swarm_call *call, uint64_t timeout_ms, swarm_call **answer, swarm_error **error);
swarm_status stats_of(const swarm_member *member, uint64_t timeout_ms, swarm_stats *stats, swarm_error **error);
/* `existed` has room for the answers. */
swarm_status delete_jobs(const swarm_member *member, const char *const *ids, size_t count, uint64_t timeout_ms, bool *existed,
                         swarm_error **error);
void line_health(line *answer, const swarm_health *health);
void line_stats(line *answer, const swarm_stats *stats);

/* Options of the job that a command adds. They point into the command, and to one header at a time. */
swarm_job_options job_options(command *command);

/* A command for a master; tables of them end with NULL. */
typedef struct master_command {
    const char *name;
    swarm_error *(*obey)(swarm_master *master, command *command, line *answer);
} master_command;

/* In look.c and choose.c. */
extern const master_command look_commands[];
extern const master_command choose_commands[];

master_driver *master_driver_new(command *command, line *answer);
void master_driver_free(master_driver *driver);
void master_driver_obey(master_driver *driver, command *command, line *answer);

worker_driver *worker_driver_new(command *command, line *answer);
void worker_driver_free(worker_driver *driver);
void worker_driver_obey(worker_driver *driver, command *command, line *answer);

#endif
