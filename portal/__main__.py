"""Entry of `python manage.py`, `python -m portal` and the installed `ensemble` command."""

import os
import sys

PROCESSES = ("web", "engine", "jobs")


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    if sys.argv[1:2] and sys.argv[1] in PROCESSES:
        # Settings and django-q2 read these while they are loaded.
        os.environ["PORTAL_PROCESS"] = os.environ["Q_CLUSTER_NAME"] = sys.argv[1]
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        settings._setup()
    except ImproperlyConfigured as error:
        # Django would go on without settings and complain of an unknown command.
        sys.exit(f"Cannot start: {error}")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
