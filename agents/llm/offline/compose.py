from typing import Any
def document(task: Any) -> str:
    return task.request
