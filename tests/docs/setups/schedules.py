from libswarm import Master

master = Master("docs", url="redis://localhost:6379")
master.schedule("report", {"to": "board"}, cron="0 3 * * MON", tz="Europe/Berlin", task="report")
# BLOCK
master.close()
