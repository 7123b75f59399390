from django.apps import AppConfig


class ReviewsAppConfig(AppConfig):
    name = "reviews_app"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Reviews"

    def ready(self) -> None:
        from reviews_app import housekeeping, projections, waiting

        projections.install()
        housekeeping.install()
        waiting.install()
