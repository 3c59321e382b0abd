# BLOCK
test_a_reminder_is_sent_an_hour_later()
