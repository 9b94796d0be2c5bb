from django.db import migrations

NEW = "events.publish"
WITH = "runs.control"  # whoever could tell runs what to do may tell them what has happened


def grant(apps, schema_editor):
    for role in apps.get_model("core", "Role").objects.filter(permissions__contains=[WITH]):
        if NEW not in role.permissions:
            role.permissions = [*role.permissions, NEW]
            role.save(update_fields=["permissions"])


class Migration(migrations.Migration):
    dependencies = [("core", "0002_audit_chain")]
    operations = [migrations.RunPython(grant, migrations.RunPython.noop)]
