"""Console entry point. The hook must start fast, so its command avoids all other imports."""

import sys


def main() -> int | None:
    arguments = sys.argv[1:]
    if arguments[:1] == ["queue"]:
        import time

        from claude_batch.environment import environment
        from claude_batch.git.hook import queue

        return queue(arguments[1:], environment(), time.time)
    if arguments == ["--version"] and sys.stdout is not None:
        from claude_batch import __version__

        sys.stdout.write(f"claude-batch {__version__}\n")
        return 0
    from claude_batch.cli.main import run

    return run()


if __name__ == "__main__":
    sys.exit(main())
