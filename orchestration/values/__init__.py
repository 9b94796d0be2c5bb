"""Large values by reference.

What is larger than `INLINE_BYTES` as JSON (a text, a list, an object; the smallest part that is) is stored once by its
content, and events, rows and the state of a run carry a reference in its place:

    {"$value": "<sha-256 hex>", "bytes": 20971520, "type": "string" | "array" | "object"}

    references.py   what a reference is; data of an author that looks like one is escaped (`$value` → `$$value`)
    splitting.py    which parts of a value become references, and putting whole values together again
    pieces.py       JSON read in pieces of bounded size, so that no host stands still over 100 MiB
    portions.py     much data made ready to be kept, some members at a time
    encoding.py     a stored value as bytes: digest, compressed chunks
    keeper.py       a host's side: write what a turn names, load what a node about to begin reads; a bounded cache
    statements.py   the SQL of both sides; the other side is `orchestration.services.values`

Values belong to one organisation: the same content in two of them is stored twice, so that nobody learns by a digest
what another has. A row of `ValueUse` says which run names a value, written before the event that names it; a value that
no run names any more is removed by `services.values.collect`.
"""
