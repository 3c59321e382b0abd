from django.urls import path

from . import views

urlpatterns = [
    path("invoices", views.create),
    path("invoices/<int:id>", views.show),
    path("invoices/<int:id>/total", views.total),
    path("health", views.health),
]
