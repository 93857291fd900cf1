"""Runs a command and writes its resource usage. Arguments: result file, command.

A small separate process, because on Linux a command's peak memory is at least that of the process that
started it.
"""

import os
import sys
import time

result, *command = sys.argv[1:]
began = time.perf_counter()
process = os.posix_spawnp(command[0], command, os.environ)
_, status, used = os.wait4(process, 0)
wall = time.perf_counter() - began
# Linux reports ru_maxrss in KiB, macOS in bytes.
peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
figures = f'"wall": {wall}, "cpu": {used.ru_utime + used.ru_stime}, "peak": {peak}'
with open(result, "w") as output:
    output.write(f'{{"code": {os.waitstatus_to_exitcode(status)}, {figures}}}')
