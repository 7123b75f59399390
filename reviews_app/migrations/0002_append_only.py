"""The database itself refuses to change decisions: the guard of the models does not bind a database shell."""

from django.db import migrations

TABLE = "reviews_app_decision"
SQLITE = f"""
CREATE TRIGGER {TABLE}_append_only BEFORE UPDATE ON {TABLE}
BEGIN SELECT RAISE(ABORT, 'decisions are append only'); END
"""
POSTGRES = f"""
CREATE FUNCTION {TABLE}_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'decisions are append only'; END $$;
CREATE TRIGGER {TABLE}_append_only BEFORE UPDATE ON {TABLE}
FOR EACH ROW EXECUTE FUNCTION {TABLE}_append_only();
"""


def forwards(apps, schema_editor):
    vendor = schema_editor.connection.vendor
    schema_editor.execute(POSTGRES if vendor == "postgresql" else SQLITE)


def backwards(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"DROP FUNCTION {TABLE}_append_only() CASCADE")
    else:
        schema_editor.execute(f"DROP TRIGGER {TABLE}_append_only")


class Migration(migrations.Migration):
    dependencies = [("reviews_app", "0001_initial")]
    operations = [migrations.RunPython(forwards, backwards)]
