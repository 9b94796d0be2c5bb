"""People steer a live run: skip or override a step, do not wait for its next try, change variables, move it.

Each call checks what can be known now, writes an audit entry, and posts a signal; the driver takes it in once and says
in the run's history what came of it. Two people at once: the second is told who was first, and nothing is posted.
"""
