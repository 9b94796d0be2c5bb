"""Sessions as their owners see them."""

from django.db import models


class SignIn(models.Model):
    """What a person needs to recognise one of their sessions. The session itself is Django's; its key stays secret.

    The row dies with the session: revoking deletes both (`services.sessions`).
    """

    user = models.ForeignKey("core.User", on_delete=models.CASCADE, related_name="sign_ins")
    session_key = models.CharField(max_length=40, unique=True, editable=False)
    created_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    address = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-seen_at"]

    def __str__(self) -> str:
        return f"{self.user} from {self.address}"

    @property
    def device(self) -> str:
        """`Firefox on Linux`, as far as the browser says so."""
        # The order matters: Edge also calls itself Chrome, and Chrome calls itself Safari.
        browsers = (
            ("Edg", "Edge"),
            ("OPR", "Opera"),
            ("Firefox", "Firefox"),
            ("Chrome", "Chrome"),
            ("Safari", "Safari"),
        )
        systems = (
            ("iPhone", "iPhone"),
            ("iPad", "iPad"),
            ("Android", "Android"),
            ("Windows", "Windows"),
            ("Mac OS", "macOS"),
            ("Linux", "Linux"),
        )
        browser = next((name for sign, name in browsers if sign in self.user_agent), "")
        system = next((name for sign, name in systems if sign in self.user_agent), "")
        if browser and system:
            return f"{browser} on {system}"
        return browser or system or self.user_agent[:40] or "Unknown device"
