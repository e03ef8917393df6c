"""The driver's side of a worker: start it, ask for a repetition within a time limit, end it."""
import json
import os
import select
import signal
import subprocess
import sys

import method as methods

LOAD_S = 120  # to import a library from a cold disk
KEOPS_FLAGS = "-march=native -ffast-math"  # KeOps adds -O3; four times as fast on attention as with its own alone
HERE = os.path.dirname(os.path.abspath(__file__))


class Worker:
    """Starts with the first question and stays for all problems; after a crash or a time-out a new one starts."""

    def __init__(self, method, threads, work):
        self.method, self.threads = method, threads
        self.label = methods.label(method)
        self.work = os.path.abspath(work)
        self.log = os.path.join(self.work, self.label.replace(":", "_") + ".log")
        self.process = None
        self.starts = 0
        self.versions = ""
        self.unusable = None  # the answer to everything, where it could not be loaded

    def start(self):
        self.starts += 1
        environment = dict(os.environ, OMP_NUM_THREADS=str(self.threads), MKL_NUM_THREADS=str(self.threads),
                           OPENBLAS_NUM_THREADS="1",
                           CXXFLAGS=os.environ.get("CXXFLAGS", KEOPS_FLAGS),
                           KEOPS_CACHE_FOLDER=os.path.join(self.work, f"keops{self.starts}"))
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(
                [sys.executable, os.path.join(HERE, "worker.py"), self.label, str(self.threads)], text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment, start_new_session=True)
        first = self.answer(LOAD_S)
        self.versions = first.get("versions", self.versions)
        if "versions" not in first:
            self.unusable = first
            self.end()

    def answer(self, limit_s):
        """One line of it, or what became of it instead."""
        ready, _, _ = select.select([self.process.stdout], [], [], limit_s)
        line = self.process.stdout.readline() if ready else ""
        if line:
            return json.loads(line)
        if not ready:
            self.end()
            return {"status": "timeout", "reason": f"longer than {limit_s:g} s"}
        self.process.wait()
        code = self.process.returncode
        why = f"ended by signal {-code}" if code < 0 else f"ended with code {code}"
        self.end()
        return {"status": "error", "reason": f"{why}: {self.last_line()}"}

    def ask(self, problem, y, min_time, limit_s):
        if self.unusable is None and self.process is None:
            self.start()
        if self.unusable is not None:
            return self.unusable
        try:
            self.process.stdin.write(json.dumps({"problem": problem, "y": y, "min_time": min_time}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it has died since; answer() says so
        return self.answer(limit_s)

    def last_line(self):
        with open(self.log, errors="replace") as log:
            lines = [line.strip() for line in log if line.strip()]
        return lines[-1] if lines else "it said nothing"

    def end(self):
        if self.process is None:
            return
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.process = None
