"""Where each number comes from: numbered runs beneath the tables."""

from __future__ import annotations

from training.tables.records import Origin, Record


class Sources:
    """Numbers the runs in the order in which the tables cite them."""

    def __init__(self) -> None:
        self._cited: list[Record] = []

    def cite(self, record: Record) -> str:
        """The run's number in brackets."""
        if record not in self._cited:
            self._cited.append(record)
        return f"[{self._cited.index(record) + 1}]"

    def markdown(self) -> str:
        """The list of runs."""
        lines = ["## Runs", ""]
        lines += [f"{number}. {_describe(one)}" for number, one in enumerate(self._cited, 1)]
        return "\n".join(lines if self._cited else [*lines, "None yet."])


def _describe(record: Record) -> str:
    parts = [f"`{record.command}`"]
    if record.origin:
        parts.append(_trained(record.origin))
    if record.data:
        data = f"{record.data.name} ({record.data.images}"
        parts.append(data + (f", list {record.data.digest})" if record.data.digest else ")"))
    if record.split:
        parts.append(record.split)
    parts.append("no seed" if record.seed is None else f"seed {record.seed}")
    parts.append(f"commit {record.commit or 'unknown'}, {record.made}")
    if record.seconds:
        parts.append(f"{record.seconds / 60:.1f} min")
    packages = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    return "; ".join([*parts, packages] if packages else parts)


def _trained(origin: Origin) -> str:
    parts = [f"of a run trained by `{origin.command}`"]
    parts += [f"on {origin.data}"] if origin.data else []
    parts.append("no seed" if origin.seed is None else f"seed {origin.seed}")
    commits = ", ".join(origin.commits)
    parts.append(f"its commit {commits or 'unknown'}")
    return f"({', '.join(parts)})"
