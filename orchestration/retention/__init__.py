"""How long runs are kept: archiving and deleting by an organisation's policy.

An *archived* run keeps its row, so lists, filters and totals know no difference. Its events, node runs, signals and
effects are one row, packed (`packing`): `monitoring.history` reads both forms, and nothing else reads runs' rows that
have ended. Its large values stay named by it. Whoever tells an archived run anything (a retry) unpacks it first, in
the same transaction (`services.runs.post_signal`), so the engine never meets one. A *deleted* run is gone with all
that hangs on it; the audit ledger keeps what it says.

Runs are kept and go as trees: a run, and the runs that its subworkflow nodes began. The root's end, workflow and
status say by which rule (`choosing`). A tree is left alone while any run of it has not ended or is held.

Order and kills. One batch is one transaction (`batches`), bounded by the events in it, so a kill loses at most the
batch in hand and the next pass finds the same work. A batch locks all runs of its trees, passing over trees of which
anything is locked, so two passes at once share the work, and a retry that comes at the same moment either finds its
run untouched or waits and unpacks it. Children are archived before their parents: a tree too large for one batch is
done when its root is. Policies and holds change under an advisory lock (`gate`) that batches share: whoever has been
told that a hold stands can rely on it.
"""
