from django.db import migrations

NEW = "retention.manage"


def grant(apps, schema_editor):
    """To administrators, who carry every permission, and to compliance officers."""
    for role in apps.get_model("core", "Role").objects.filter(built_in=True, slug__in=["admin", "compliance-officer"]):
        if NEW not in role.permissions:
            role.permissions = [*role.permissions, NEW]
            role.save(update_fields=["permissions"])


class Migration(migrations.Migration):
    dependencies = [("core", "0004_notifications")]
    operations = [migrations.RunPython(grant, migrations.RunPython.noop)]
