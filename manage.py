#!/usr/bin/env python
"""Ensemble's command line: `python manage.py up` starts everything, `python manage.py help` lists the rest."""

from portal.__main__ import main

if __name__ == "__main__":
    main()
