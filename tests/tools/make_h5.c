/* make_h5 FOLDER: write every file that a reader must refuse into a folder, and one line per file:
 * name, address, part of the message, separated by tabs. For the command-line tests. */
#include <stdio.h>

#include "../h5_files.h"

int main(int argc, char **argv)
{
    char path[1024];

    if (argc != 2)
        return 2;
    for (const kmv_bad_file *b = kmv_bad_files; b->name != NULL; b++) {
        snprintf(path, sizeof path, "%s/%s.h5", argv[1], b->name);
        b->make(path);
        printf("%s\t%s%s%s\t%s\n", b->name, path, b->object[0] != '\0' ? ":" : "", b->object,
               b->message);
    }
    return 0;
}
