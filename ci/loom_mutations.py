"""Breaks each protocol that has a loom model, one ordering at a time, and requires that
its model notices. Run by ci/loom.sh, in a copy of the library."""

import pathlib
import subprocess
import sys

QUEUE = "src/pool_tasks/queue.rs"
THREAD_SLOT = "src/pool_tasks/thread_slot.rs"
SLOT = "src/slot/slot.rs"
ENDED = "src/slot/ended.rs"

TWO_POLLS = "a_reader_never_sees_fields_of_two_polls"
TWO_QUEUED = "a_reader_never_sees_fields_of_two_queued_tasks"
TWO_RUNNING = "a_reader_never_sees_a_running_task_with_the_site_of_another"
RELEASE_FENCE = "fence(Ordering::Release);"
ACQUIRE_FENCE = "fence(Ordering::Acquire);"

# File, the text that occurs once in it, what replaces it, the model that must fail.
MUTATIONS = [
    (SLOT, RELEASE_FENCE, "", TWO_POLLS),
    (SLOT, ACQUIRE_FENCE, "", TWO_POLLS),
    (
        SLOT,
        ".store(sequence.wrapping_add(1), Ordering::Release)",
        ".store(sequence.wrapping_add(1), Ordering::Relaxed)",
        TWO_POLLS,
    ),
    (
        ENDED,
        "self.head.store(head.wrapping_add(1), Ordering::Release)",
        "self.head.store(head.wrapping_add(1), Ordering::Relaxed)",
        "ended_polls_arrive_whole_or_are_counted",
    ),
    (
        ENDED,
        "self.head.load(Ordering::Acquire)",
        "self.head.load(Ordering::Relaxed)",
        "ended_polls_arrive_whole_or_are_counted",
    ),
    (QUEUE, RELEASE_FENCE, "", TWO_QUEUED),
    (QUEUE, ACQUIRE_FENCE, "", TWO_QUEUED),
    (
        QUEUE,
        "place.since.store(since, Ordering::Release)",
        "place.since.store(since, Ordering::Relaxed)",
        TWO_QUEUED,
    ),
    (
        QUEUE,
        ".compare_exchange(FREE, CLAIMED, Ordering::Acquire, Ordering::Relaxed)\n            .ok()?;",
        ".store(CLAIMED, Ordering::Relaxed);",
        "two_tasks_never_share_a_place",
    ),
    (THREAD_SLOT, RELEASE_FENCE, "", TWO_RUNNING),
    (THREAD_SLOT, ACQUIRE_FENCE, "", TWO_RUNNING),
]


def main():
    cargo = sys.argv[1:]
    for file, old, new, model in MUTATIONS:
        path = pathlib.Path(file)
        source = path.read_text()
        if source.count(old) != 1:
            sys.exit(f"{file} has {source.count(old)} times {old!r}: bring ci/loom_mutations.py up to date")
        path.write_text(source.replace(old, new))
        run = subprocess.run([*cargo, model], capture_output=True, text=True)
        path.write_text(source)
        output = run.stdout + run.stderr
        if run.returncode == 0 or "test result: FAILED. 0 passed; 1 failed" not in output:
            sys.exit(f"the model {model} does not notice when {file} has {new!r} for {old!r}:\n{output}")
        print(f"noticed by {model}: {file} without {old.splitlines()[0]!r}")


main()
