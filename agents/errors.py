"""The one error of agents and models. The engine asks one thing of it: try again, and when?"""

from typing import Any


class AgentError(Exception):
    """An expected failure of an agent. `message` is a sentence for the user and holds no secret.

    code: a stable word for rules and reports: agent_unknown, agent_offline, invalid_input, invalid_output, timeout,
    rate_limited, authentication, ... retry_after: seconds the other side asked for. detail: JSON for the page, e.g.
    {"faults": [{"path", "message"}]}. usage: what was spent before it failed, in the shape of `AgentReply.usage`.
    retry: the agent's own retry policy, {"max_attempts", "backoff", ...}, for callers that bring none.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        retryable: bool = False,
        retry_after: float | None = None,
        detail: Any = None,
        usage: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.retryable = retryable
        self.retry_after = retry_after
        self.detail = detail
        self.usage = usage
        self.retry: dict[str, Any] = {}
