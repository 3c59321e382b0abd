/* Adding jobs, by masters and workers. */
#include <stdlib.h>

#include "member.h"

swarm_error *show_added(swarm_call *call, line *answer) {
    swarm_error *error = NULL;
    swarm_call *added = NULL;
    if (answered(call, CALL_MS, &added, &error) != SWARM_OK) return error;
    line_text(answer, "id", swarm_call_id(added, 0));
    line_flag(answer, "existed", swarm_call_existed(added, 0));
    line_flag(answer, "replaced", swarm_call_replaced(added, 0));
    swarm_call_free(added);
    return NULL;
}

swarm_error *show_added_many(swarm_call *call, line *answer) {
    swarm_error *error = NULL;
    swarm_call *added = NULL;
    if (answered(call, CALL_MS, &added, &error) != SWARM_OK) return error;
    line_add(answer, " ids=");
    for (size_t i = 0; i < swarm_call_count(added); i++) line_item(answer, swarm_call_id(added, i), i == 0);
    line_add(answer, " existed_each=");
    for (size_t i = 0; i < swarm_call_count(added); i++) line_item(answer, swarm_call_existed(added, i) ? "true" : "false", i == 0);
    swarm_call_free(added);
    return NULL;
}

job_list job_list_new(command *command) {
    job_list list;
    size_t ids_count;
    list.payloads = command_list(command, "payloads", &list.count);
    list.ids = command_list(command, "ids", &ids_count);
    list.jobs = calloc(list.count + 1, sizeof *list.jobs);
    list.options = calloc(list.count + 1, sizeof *list.options);
    if (list.jobs == NULL || list.options == NULL) misuse("out of memory", "jobs");
    for (size_t i = 0; i < list.count; i++) {
        list.options[i] = job_options(command);
        list.options[i].id = i < ids_count ? list.ids[i] : NULL;
        list.jobs[i] = (swarm_new_job){bytes_of_hex(list.payloads[i]), &list.options[i]};
    }
    return list;
}

void job_list_free(job_list *list) {
    free(list->options);
    free(list->jobs);
    free(list->payloads);
    free(list->ids);
}
