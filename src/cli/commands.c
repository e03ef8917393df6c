/* cli/commands.c - the table of commands, one file each. */
#include "cli/commands.h"

const kmv_command *const kmv_commands[] = {
    &kmv_command_list,
    &kmv_command_doctor,
    &kmv_command_info,
    &kmv_command_gen,
    &kmv_command_measure,
    &kmv_command_apply,
    &kmv_command_norm,
    &kmv_command_run,
    &kmv_command_table,
    &kmv_command_plot,
    &kmv_command_report,
    &kmv_command_compare,
    NULL,
};
