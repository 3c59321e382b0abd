import json
import os

from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST
from libswarm import SwarmJobFailed, SwarmTimeout

from . import jobs
from .models import Invoice


@csrf_exempt
@require_POST
def create(request: HttpRequest) -> JsonResponse:
    """Stores an invoice, and adds its job once the transaction is committed: a worker would not find the row before."""
    order = json.loads(request.body)
    with transaction.atomic():
        invoice = Invoice.objects.create(customer=order["customer"], prices=order["prices"])
        transaction.on_commit(lambda: jobs.make_invoice.add(invoice.id))
    return JsonResponse({"id": invoice.id}, status=202)


@csrf_exempt
@require_POST
def total(request: HttpRequest, id: int) -> JsonResponse:
    """Runs the job, and answers with its result."""
    seconds = float(request.GET.get("seconds", 0.1))
    try:
        return JsonResponse({"id": id, "total": jobs.make_invoice.with_options(timeout=10).run(id, seconds)})
    except SwarmJobFailed as error:
        return JsonResponse({"error": str(error)}, status=422)
    except SwarmTimeout:  # only the wait has ended; the job continues
        return JsonResponse({"error": "the invoice takes longer than 10 s"}, status=504)


@require_GET
def show(request: HttpRequest, id: int) -> JsonResponse:
    invoice = Invoice.objects.filter(id=id).first()
    if invoice is None:
        return JsonResponse({}, status=404)
    return JsonResponse({"id": invoice.id, "customer": invoice.customer, "total": invoice.total})


@require_GET
def health(request: HttpRequest) -> JsonResponse:
    """Answers from memory, without a call to Redis. It is 503 until the master of this process is connected."""
    state = jobs.app.master().health()
    return JsonResponse({"pid": os.getpid(), "error": state.error_message}, status=200 if state.healthy else 503)
