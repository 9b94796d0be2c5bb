"""Entry of `python manage.py`, `python -m portal` and the installed `ensemble` command."""

import os
import sys

PROCESSES = ("web", "engine", "jobs")


def main() -> None:
    """Hand over to Django; what keeps it from starting is said in one sentence."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    if sys.argv[1:2] and sys.argv[1] in PROCESSES:
        # Settings and django-q2 read these while they are loaded.
        os.environ["PORTAL_PROCESS"] = os.environ["Q_CLUSTER_NAME"] = sys.argv[1]
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import OperationalError, connection

    try:
        bool(settings.INSTALLED_APPS)  # loads them; Django would go on without, and complain of an unknown command
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"Cannot start: {error}")
    except OperationalError as error:
        if connection.connection is not None:  # a query failed: that is a bug or the server's trouble, told in full
            raise
        reason = str(error).strip().splitlines()[0]
        sys.exit(
            f"PostgreSQL cannot be reached: {reason}\n"
            "Start the portal with `up` (if it was given --data, set PORTAL_DATA to that folder), or set DATABASE_URL."
        )


if __name__ == "__main__":
    main()
