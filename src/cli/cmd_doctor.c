/* cli/cmd_doctor.c - `kmv doctor`: what a bug report needs. */
#include "base/status.h"
#include "bench/provenance.h"
#include "cli/commands.h"
#include "gauss/peak.h"
#include "gauss/tile.h"

static kmv_status run(kmv_cli *cli, const kmv_args *args, int *exit_code, kmv_error *err)
{
    const kmv_tile *tile;
    kmv_provenance p;
    kmv_status st = kmv_tile_select(cli->isa, &tile, err);
    int threads;

    (void)exit_code;
    if (st != KMV_OK)
        return st;
    kmv_provenance_get(&p);
    threads = cli->threads > 0 ? cli->threads : p.cores;
    kmv_provenance_write(&p, ": ", cli->out);
    fprintf(cli->out, "isa: %s\nthreads: %d\n", tile->name, threads);
    if (kmv_args_has(args, "--peak")) {
        fprintf(cli->out, "peak_flops: %.4g\n", kmv_peak_flops(tile, threads));
        fprintf(cli->out, "peak_bandwidth_b_per_s: %.4g\n", kmv_peak_bandwidth(threads));
    }
    return KMV_OK;
}

static const kmv_cli_option options[] = {
    {"--peak", NULL, "measure the multiply-add peak [flop/s] and the memory bandwidth (seconds)"},
    {0},
};

const kmv_command kmv_command_doctor = {
    .name = "doctor",
    .usage = "doctor [--peak]",
    .summary = "CPU, instruction sets, memory, versions, compiler: for bug reports",
    .options = options,
    .run = run,
};
