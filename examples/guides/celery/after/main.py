"""The program that adds jobs: python main.py"""

from libswarm import NewJob, SwarmJobFailed, fan_in
from tasks import album, app, charge, refund, resize

with app:
    print(resize.with_options(timeout=30).run("a.jpg", width=50))
    print(resize.with_options(timeout=30, delay=0.2).run("b.jpg"))
    print(charge.with_options(timeout=30).run(7))
    try:
        refund.with_options(timeout=30).run(8)
    except SwarmJobFailed as error:
        print(error)
    jobs = app.master()
    images = [NewJob({"path": path}, task=resize.name) for path in ["a.jpg", "b.jpg"]]
    print(jobs.run_many(images, timeout=30))
    flow = jobs.add_flow(fan_in(images, NewJob({"title": "Rome"}, task=album.name, result=True)))
    print(jobs.result(flow.jobs[-1].id, timeout=30))
