/* cli/commands.h - the commands, one per file cmd_NAME.c. */
#ifndef KMV_CLI_COMMANDS_H
#define KMV_CLI_COMMANDS_H

#include "cli/args.h"

extern const kmv_command kmv_command_list;
extern const kmv_command kmv_command_doctor;
extern const kmv_command kmv_command_info;
extern const kmv_command kmv_command_gen;
extern const kmv_command kmv_command_measure;
extern const kmv_command kmv_command_apply;
extern const kmv_command kmv_command_norm;
extern const kmv_command kmv_command_run;
extern const kmv_command kmv_command_table;
extern const kmv_command kmv_command_plot;
extern const kmv_command kmv_command_report;
extern const kmv_command kmv_command_compare;

#endif
