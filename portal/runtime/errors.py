"""What stops a start."""


class CannotStart(Exception):
    """The portal cannot be started for a reason the operator can mend. The message is one sentence with the remedy."""
