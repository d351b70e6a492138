"""The front door. The hook runs before every commit, so it must not pay for the rest."""

import sys


def main() -> int | None:
    arguments = sys.argv[1:]
    if arguments[:1] == ["queue"]:
        import time

        from claude_batch.commands.queue import queue
        from claude_batch.edges.environment import environment

        return queue(arguments[1:], environment(), time.time)
    if arguments == ["--version"]:
        from claude_batch import __version__

        sys.stdout.write(f"claude-batch {__version__}\n")
        return 0
    from claude_batch.cli import run

    return run()


if __name__ == "__main__":
    sys.exit(main())
