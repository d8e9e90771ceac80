"""Shell completion of `--option=VALUE`, which click completes as `--option VALUE` only.

bash passes the `=` as a word. zsh and fish replace the whole word, so the option must be in it.
"""

from __future__ import annotations

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
)


class _Bash(BashComplete):
    def get_completion_args(self) -> tuple[list[str], str]:
        args, incomplete = super().get_completion_args()
        return args[:-1] if args[-1:] == ["="] else args, incomplete


class _WholeWords(ShellComplete):
    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        option, equals, _ = incomplete.partition("=")
        found = super().get_completions(args, incomplete)
        if not equals or not option.startswith("--"):
            return found
        return [CompletionItem(f"{option}={one.value}", one.type, one.help) for one in found]


class _Zsh(_WholeWords, ZshComplete):
    # `_path_files` completes the part of the word after the option.
    source_template = ZshComplete.source_template.replace("_path_files", "compset -P '--*='; _path_files")


class _Fish(_WholeWords, FishComplete):
    # `__fish_complete_path` completes the part of the word after the option, and returns it without the option.
    source_template = FishComplete.source_template.replace(
        "__fish_complete_path $metadata[2]",
        "set -l parts (string split -m 1 = -- $metadata[2]);"
        " test (count $parts) = 2; and string replace -r '^' -- $parts[1]= (__fish_complete_path $parts[2]);"
        " or __fish_complete_path $metadata[2]",
    )


def register() -> None:
    """Let click use these classes."""
    for shell in (_Bash, _Zsh, _Fish):
        add_completion_class(shell)
