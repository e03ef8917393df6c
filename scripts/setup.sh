#!/bin/sh
# Install what kmv needs and this machine lacks.
exit 0
