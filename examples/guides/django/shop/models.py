from django.db import models


class Invoice(models.Model):
    customer = models.CharField(max_length=100)
    prices = models.JSONField()
    total = models.FloatField(null=True)
    fence = models.BigIntegerField(default=0)  # of the execution that wrote `total`
