"""How much a browser may send."""

from __future__ import annotations

from dataclasses import dataclass

GIB = 1 << 30


class UploadError(Exception):
    """An upload that is not taken.

    Args:
        message: Why, and what to do, for the user. It names no file.
        status: The HTTP status.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class UploadLimits:
    """Limits for one session, all its uploads together.

    Attributes:
        sent: Bytes that the browser sends.
        stored: Bytes on the disk, archives unpacked.
        files: Number of files, those in archives included.
    """

    sent: int = 4 * GIB
    stored: int = 12 * GIB
    files: int = 20_000


class Budget:
    """What a session has used of its limits.

    Attributes:
        stopped: Set from another thread to have nothing more stored.
    """

    def __init__(self, limits: UploadLimits) -> None:
        self.limits = limits
        self.sent = 0
        self.stored = 0
        self.files = 0
        self.stopped = False

    def send(self, count: int) -> None:
        """Take bytes off the wire.

        Raises:
            UploadError: They are too many.
        """
        if self.sent + count > self.limits.sent:
            raise UploadError(
                f"The upload is larger than the {size(self.limits.sent)} that this browser may "
                "send. Send only the CT and the PET, or start the viewer with --ct and --pet.",
                413,
            )
        self.sent += count

    def store(self, count: int) -> None:
        """Put bytes on the disk.

        Raises:
            UploadError: They are too many.
        """
        if self.stopped:
            raise UploadError("The upload broke off. Send it again.")
        if self.stored + count > self.limits.stored:
            raise UploadError(
                f"The upload is unpacked larger than the {size(self.limits.stored)} that are "
                "kept for this browser. Send only the CT and the PET.",
                413,
            )
        self.stored += count

    def add_file(self) -> None:
        """Count a file.

        Raises:
            UploadError: There are too many.
        """
        if self.files >= self.limits.files:
            raise UploadError(
                f"The upload has more than {self.limits.files} files. "
                "Send only the CT and the PET.",
                413,
            )
        self.files += 1


def size(count: int) -> str:
    """Bytes as a person would say them."""
    for unit, factor in (("GB", GIB), ("MB", 1 << 20), ("kB", 1 << 10)):
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return f"{count} bytes"
