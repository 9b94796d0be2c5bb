"""Signing in, one's own account, the audit ledger."""

from django.contrib.auth import views as auth
from django.urls import include, path

from portal.core.views import account, audit, notifications

account_urls = [
    path("", account.security, name="security"),
    path("sessions/<int:sign_in_id>/revoke/", account.revoke_session, name="revoke_session"),
    path("sessions/revoke-others/", account.revoke_other_sessions, name="revoke_other_sessions"),
    path("tokens/", account.token_list, name="tokens"),
    path("tokens/<uuid:token_id>/revoke/", account.revoke_token, name="revoke_token"),
]

audit_urls = [
    path("", audit.entries, name="list"),
    path("verify/", audit.verify, name="verify"),
]

notification_urls = [
    path("", notifications.listing, name="list"),
    path("read/", notifications.mark_all_read, name="mark_all_read"),
    path("<uuid:notification_id>/read/", notifications.mark_read, name="mark_read"),
]

urlpatterns = [
    path("login/", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path("account/password/", account.ChangePassword.as_view(), name="password_change"),
    path("account/password/done/", auth.PasswordChangeDoneView.as_view(), name="password_change_done"),
    path("account/", include((account_urls, "account"))),
    path("o/<slug:org>/notifications/", include((notification_urls, "notifications"))),
    path("o/<slug:org>/audit/", include((audit_urls, "audit"))),
]
