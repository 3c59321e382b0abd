"""The program that adds jobs: python main.py"""

from jobs import album, app, charge, refund, resize
from libswarm import NewJob, SwarmJobFailed, fan_in

with app:
    print(resize.with_options(timeout=30).run("a.jpg", width=50))
    print(charge.with_options(timeout=30).run(7))
    try:
        refund.with_options(timeout=30).run(8)
    except SwarmJobFailed as error:
        print(error)
    images = [NewJob({"path": path}, task=resize.name) for path in ["a.jpg", "b.jpg"]]
    print(app.master().run_many(images, timeout=30))
    flow = app.master().add_flow(fan_in(images, NewJob({"title": "Rome"}, task=album.name, result=True)))
    print(app.master().result(flow.jobs[-1].id, timeout=30))
