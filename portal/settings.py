"""Settings of the portal. Everything that differs between installations comes from the environment (`portal.env`)."""

from urllib.parse import urlsplit

from csp.constants import NONCE, NONE, SELF

from portal import env
from portal.admin_theme import UNFOLD as UNFOLD
from portal.core import logs, mail_address
from portal.runtime import keys, services, static

BASE_DIR, SHARE_DIR = services.BASE_DIR, services.SHARE_DIR
DATA_DIR = services.data_dir()

DEBUG = env.boolean("DEBUG", False)
# Which of the processes of docs/architecture.md this is: web, engine, jobs or command.
PROCESS = env.text("PORTAL_PROCESS", "command")
SECRET_KEY = keys.secret_key()
# Fernet keys, newest first: the first encrypts, all decrypt. Independent of SECRET_KEY.
SECRETS_KEYS = keys.secrets_keys()
PUBLIC_URL = env.text("PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/")
_public = urlsplit(PUBLIC_URL)
ALLOWED_HOSTS = [*env.words("ALLOWED_HOSTS", ("localhost", "127.0.0.1", "[::1]")), _public.hostname or ""]
# People come by the public address, also where the proxy in front does not pass on that it ended TLS.
CSRF_TRUSTED_ORIGINS = [*env.words("CSRF_TRUSTED_ORIGINS"), f"{_public.scheme}://{_public.netloc}"]
HTTPS = PUBLIC_URL.startswith("https://")

INSTALLED_APPS = [
    # for `runserver`; the clusters are spared its 30 MB and 0.2 s
    *([] if PROCESS in ("engine", "jobs") else ["daphne"]),
    "portal.core",
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.forms",
    "portal.core.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "django_htmx",
    "channels",
    "django_q",
    "axes",
    "pgtrigger",
    "ninja",
    "csp",
    "servestatic",
    "portal.runtime",
    "agents",
    "orchestration",
    "approvals",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "portal.core.middleware.StaticFilesMiddleware",
    "portal.core.middleware.RequestContextMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "portal.core.middleware.OrganisationMiddleware",
    "portal.core.middleware.WrongMethodMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "portal.urls"
ASGI_APPLICATION = "portal.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [SHARE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "portal.core.context.shell",
            ],
            "builtins": [
                "portal.core.templatetags.ui.buttons",
                "portal.core.templatetags.ui.figures",
                "portal.core.templatetags.ui.forms",
                "portal.core.templatetags.ui.lookups",
                "portal.core.templatetags.ui.marks",
                "portal.core.templatetags.ui.navigation",
                "portal.core.templatetags.ui.page",
                "portal.core.templatetags.ui.panels",
                "portal.core.templatetags.ui.texts",
            ],
        },
    }
]

DATABASES = {"default": services.database_settings(process=PROCESS)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = services.redis_url()
CHANNEL_LAYERS = {
    # The PubSub layer: the core layer drops the newest messages when full and forgets its groups on a flush.
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": "ensemble"},
    }
}
# Nothing is kept between requests. Django's Redis cache unpickles what it reads, so whoever writes to Redis would run
# code here; and the admin's search, its only user, would show for minutes what a lost right has hidden.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}

AUTH_USER_MODEL = "core.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
# Lock the pair of name and address, never a name for everybody.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25  # hours
AXES_RESET_ON_SUCCESS = True
AXES_ENABLE_ADMIN = False  # portal.core.admin has its own page
AXES_VERBOSE = False  # no greeting in every process's log
AXES_LOCKOUT_TEMPLATE = "registration/lockout.html"
AXES_IPWARE_PROXY_COUNT = env.integer("TRUSTED_PROXIES", 0)

SESSION_ENGINE = "portal.core.session_store"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
CSRF_FAILURE_VIEW = "portal.core.views.refusals.csrf_failure"
SECURE_SSL_REDIRECT = False  # the proxy in front does it
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_REFERRER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.integer("TRUSTED_PROXIES", 0) else None
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # HSTS for subdomains: they may be other people's
    "security.W008",  # redirection to HTTPS: the proxy in front does it
    "security.W021",  # HSTS preloading: for the owner of the domain to decide
]
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

USE_TZ = True
TIME_ZONE = env.text("TIME_ZONE", "UTC")
LANGUAGE_CODE = "en-gb"
USE_I18N = True

STATICFILES_DIRS = [SHARE_DIR / "static"]
STATIC_URL = "static/" if DEBUG else f"static/{static.mark(SHARE_DIR / 'static')}/"
SERVESTATIC_USE_FINDERS = True  # from where the files are; `collectstatic` is not needed
SERVESTATIC_AUTOREFRESH = DEBUG
SERVESTATIC_MAX_AGE = 0 if DEBUG else 365 * 24 * 3600  # the address changes with the files
SERVESTATIC_ALLOW_ALL_ORIGINS = False
DATA_UPLOAD_MAX_MEMORY_SIZE = 12 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 12 * 1024 * 1024

EMAIL_URL = env.text("EMAIL_URL")
EMAIL_BACKEND = env.text("EMAIL_BACKEND", "django.core.mail.backends.smtp.EmailBackend")
# Without a server mails are held and said to be, never taken for sent.
MAIL_CONFIGURED = bool(EMAIL_URL) or "smtp" not in EMAIL_BACKEND
if EMAIL_URL:
    globals().update(mail_address.settings_of(EMAIL_URL))
DEFAULT_FROM_EMAIL = env.text("EMAIL_FROM", f"Ensemble <ensemble@{_public.hostname or 'localhost'}>")

AGENT_MODULES = env.words("AGENT_MODULES")

ENGINE_WORKERS = env.integer("ENGINE_WORKERS", 2)
# A host works one shift in a worker, whose memory is then given back. The limit is django-q2's, which kills.
ENGINE_SHIFT_SECONDS = env.integer("ENGINE_SHIFT_SECONDS", 1800)
ENGINE_SHIFT_LIMIT_SECONDS = ENGINE_SHIFT_SECONDS + 600
ENGINE_RUNS_PER_HOST = env.integer("ENGINE_RUNS_PER_HOST", 500)
ENGINE_STEPS_PER_HOST = env.integer("ENGINE_STEPS_PER_HOST", 1000)
# Large values that one step may read, in MiB of JSON and text: they are whole in memory while it works
ENGINE_READ_MIB = env.integer("ENGINE_READ_MIB", 256)
# runs of an organisation that have not ended; more are refused at their start. An administrator may set its own.
ENGINE_OPEN_RUNS = env.integer("ENGINE_OPEN_RUNS", 20_000)
# When a host is asked to end, what is at work gets so long; `up` leaves its clusters 7.8 seconds at least.
ENGINE_DRAIN_SECONDS = 6.5
ENGINE_HEARTBEAT_STALE_SECONDS = 15
# The event bus: how much an organisation may publish, and how long events are kept.
EVENTS_PER_MINUTE = env.integer("EVENTS_PER_MINUTE", 1200)
EVENT_RETENTION_DAYS = env.integer("EVENT_RETENTION_DAYS", 30)
TRIGGER_RETENTION_DAYS = env.integer("TRIGGER_RETENTION_DAYS", 90)
JOBS_WORKERS = env.integer("JOBS_WORKERS", 1)
# django-q2 with its ORM broker: its insert joins the caller's transaction and a killed worker loses nothing.
# bulk=1 and queue_limit=workers, because a task's lease runs from its fetch, not from its start.
Q_CLUSTER = {
    "name": "jobs",
    "orm": "default",
    "broker_class": "portal.core.queue.Broker",
    "workers": JOBS_WORKERS,
    "queue_limit": JOBS_WORKERS,
    "bulk": 1,
    "timeout": 300,
    "retry": 360,
    "max_attempts": 5,
    "ack_failures": True,
    "catch_up": False,
    "save_limit": -1,
    "poll": 0.5,
    "label": "Queue",
    "ALT_CLUSTERS": {
        "engine": {
            "workers": ENGINE_WORKERS,
            # Never full: the pusher could not be stopped while it waits for room. It holds a few spare rings at most,
            # those of its own queue, and a host takes its ring out of it as it begins (orchestration/tasks.py).
            "queue_limit": 100,
            "bulk": 1,
            "timeout": ENGINE_SHIFT_LIMIT_SECONDS,
            "retry": ENGINE_SHIFT_LIMIT_SECONDS + 300,
            "recycle": 1,
            "max_attempts": 0,
            "poll": 0.5,
            "scheduler": False,
        }
    },
}

# Hosts and networks that may be called although they are not public, e.g. of a local Ollama:
# `localhost:11434,10.1.0.0/16`.
OUTGOING_ALLOW = env.words("OUTGOING_ALLOW")

# JSON lines for a machine that collects them, unless a person reads: `up` and single commands.
LOGGING = logs.configure(
    form=env.choice("LOG_FORMAT", ("console", "json"), "console" if PROCESS == "command" else "json"),
    level=env.choice("LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR"), "INFO"),
)
# It tells the birth and death of each of its processes; what matters of that is a warning.
LOGGING["loggers"]["django-q"] = {"level": "WARNING"}

# The test suite sets it, for the processes it starts too: a call to a real model is then an error.
TESTING = env.boolean("TESTING", False)
