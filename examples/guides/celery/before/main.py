"""The program that adds jobs: python main.py"""

from celery import chord, group
from tasks import album, charge, refund, resize

print(resize.delay("a.jpg", width=50).get(timeout=30))
print(resize.apply_async(["b.jpg"], countdown=0.2).get(timeout=30))
print(charge.delay(7).get(timeout=30))
try:
    refund.delay(8).get(timeout=30)
except ValueError as error:
    print(f"ValueError: {error}")
print(group(resize.s(path) for path in ["a.jpg", "b.jpg"])().get(timeout=30))
print(chord([resize.s("a.jpg"), resize.s("b.jpg")], album.s("Rome"))().get(timeout=30))
