"""Triggers: what starts workflows by itself. Pure parts here; what changes things is in `services`.

    cron      at times of a schedule, in a time zone           `schedule.py`
    webhook   when somebody calls its address, signed          `signatures.py`
    event     when a matching event is published               `orchestration.bus`

Each occasion is one row of the history (`TriggerFire`), made in the transaction that starts the run. A key that is
unique within the trigger (the due time, the event, the request) makes sure that no occasion starts two runs, however
many processes come upon it. What the run is given is a template of JSON, resolved with what the occasion knows
(`templates.py`).
"""
